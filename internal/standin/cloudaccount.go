package standin

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"sync"
)

// A cloudAccount is a service account and what the server has of it. Its keys stand
// in a row: the token holds the master unlock key, which opens the symmetric key of
// the account's keyset; that opens the private key; that opens the keys of vaults;
// and those open what is in them.
type cloudAccount struct {
	token string

	email      string
	userID     string
	deviceID   string
	keyUUID    string // the part of the secret key that is no secret
	salt       []byte
	iterations int
	verifier   *big.Int

	keysetID  string
	master    cloudKey
	symmetric cloudKey
	private   *rsa.PrivateKey

	mu   sync.Mutex
	keys map[string]cloudKey // of vaults and files, by their ids
}

// masterID is the id of every account's master unlock key.
const masterID = "mp"

const (
	srpMethod    = "SRPg-4096"
	srpAlgorithm = "PBES2g-HS256"
	keyFormat    = "A3" // of the secret key
)

func newCloudAccount(host string) (*cloudAccount, error) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	a := &cloudAccount{
		email: newID() + "@1passwordserviceaccounts.com", userID: strings.ToUpper(newID()), deviceID: newID(), keysetID: newID(),
		salt: make([]byte, 16), iterations: 650000, master: newCloudKey(masterID), private: private,
		keys: map[string]cloudKey{},
	}
	a.symmetric = newCloudKey(a.keysetID)
	_, _ = rand.Read(a.salt) // never fails
	x := make([]byte, 32)
	_, _ = rand.Read(x)
	group := newSRPGroup()
	a.verifier = new(big.Int).Exp(group.g, new(big.Int).SetBytes(x), group.n)
	secret := newSecretKey()
	a.keyUUID = secret[:6]
	body, err := json.Marshal(map[string]any{
		"signInAddress": host,
		"userAuth":      a.userAuth(),
		"email":         a.email,
		"srpX":          hex.EncodeToString(x),
		"muk":           a.master.jwk(),
		"secretKey":     strings.Join([]string{keyFormat, secret[:6], secret[6:12], secret[12:17], secret[17:22], secret[22:27], secret[27:32]}, "-"),
		"deviceUuid":    a.deviceID,
		"throttleSecret": map[string]string{
			"seed": hex.EncodeToString(newCloudKey("").key), "uuid": newID(),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("making a token: %w", err)
	}
	a.token = "ops_" + encoded(body)
	return a, nil
}

// newSecretKey is a secret key without its dashes: 32 characters, none of which looks
// like another.
func newSecretKey() string {
	const alphabet = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
	var b strings.Builder
	for b.Len() < 32 {
		n := []byte{0}
		_, _ = rand.Read(n) // never fails
		if int(n[0]) < 8*len(alphabet) {
			b.WriteByte(alphabet[int(n[0])%len(alphabet)])
		}
	}
	return b.String()
}

// userAuth is how the account's password would be derived. The token has the result,
// and the core holds the server to the token's.
func (a *cloudAccount) userAuth() map[string]any {
	return map[string]any{"method": srpMethod, "alg": srpAlgorithm, "iterations": a.iterations, "salt": encoded(a.salt)}
}

// exchange answers a client's public number.
func (a *cloudAccount) exchange(userA string) (*srpExchange, error) {
	number, ok := new(big.Int).SetString(userA, 16)
	if !ok {
		return nil, errPublicNumber
	}
	return exchangeSRP(a.verifier, number, srpIdentity(a.keyUUID, a.email), a.salt)
}

// keyFor is the key of a vault or a file, made when it is first asked for.
func (a *cloudAccount) keyFor(id string) cloudKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	key, ok := a.keys[id]
	if !ok {
		key = newCloudKey(newID())
		a.keys[id] = key
	}
	return key
}

// keysets are the account's keys, sealed.
func (a *cloudAccount) keysets() map[string]any {
	symmetric := a.master.seal(a.symmetric.jwk())
	symmetric.Algorithm, symmetric.Iterations, symmetric.Salt = srpAlgorithm, a.iterations, encoded(a.salt)
	return map[string]any{"version": 1, "keysets": []map[string]any{{
		"uuid": a.keysetID, "encryptedBy": masterID, "sn": 1,
		"encSymKey":  symmetric,
		"encPriKey":  a.symmetric.seal(privateJWK(a.keysetID, a.private)),
		"pubKey":     publicJWK(a.keysetID, a.private),
		"encSPriKey": nil, "spubKey": nil,
		"createdAt": vaultCreated, "updatedAt": vaultCreated,
	}}}
}
