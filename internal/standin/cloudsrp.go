package standin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// The Secure Remote Password protocol as 1Password has it: RFC 5054 with its 4096-bit
// group and SHA-256, k and u of padded numbers. The session key is the hash of the
// shared number in hexadecimal, and the proofs are those of the protocol's own page:
// M = H(H(N) xor H(g), H(I), s, A, B, K) of the client, H(A, M, K) of the server.

// srpGroup is RFC 5054's group of 4096 bits.
type srpGroup struct{ n, g *big.Int }

func newSRPGroup() srpGroup {
	const hex = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD" +
		"EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
		"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F" +
		"83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
		"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510" +
		"15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7" +
		"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C" +
		"BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A92108011A723C12A787E6D7" +
		"88719A10BDBA5B2699C327186AF4E23C1A946834B6150BDA2583E9CA2AD44CE8DBBBC2DB04DE8EF92E8EFC141FBECAA6" +
		"287C59474E6BC05D99B2964FA090C3A2233BA186515BE7ED1F612970CEE2D7AFB81BDD762170481CD0069127D5B05AA9" +
		"93B4EA988D8FDDC186FFB7DC90A6C08F4DF435C934063199FFFFFFFFFFFFFFFF"
	n, _ := new(big.Int).SetString(hex, 16) // it is one
	return srpGroup{n: n, g: big.NewInt(5)}
}

// padded are the bytes of a number, as many as the group's prime has.
func (g srpGroup) padded(x *big.Int) []byte { return x.FillBytes(make([]byte, len(g.n.Bytes()))) }

// srpExchange is the server's side of one exchange.
type srpExchange struct {
	serverB     *big.Int
	key         []byte
	clientProof []byte
	serverProof []byte
}

var errPublicNumber = errors.New("the client's public number is none")

// exchangeSRP answers a client's public number for an account of this verifier.
// identity and salt go into the proofs.
func exchangeSRP(verifier, clientA *big.Int, identity string, salt []byte) (*srpExchange, error) {
	group := newSRPGroup()
	if new(big.Int).Mod(clientA, group.n).Sign() == 0 {
		return nil, errPublicNumber
	}
	secret := make([]byte, 38)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("making a number: %w", err)
	}
	b := new(big.Int).SetBytes(secret)
	k := hashed(group.n.Bytes(), group.padded(group.g))
	serverB := new(big.Int).Mul(new(big.Int).SetBytes(k), verifier)
	serverB.Add(serverB, new(big.Int).Exp(group.g, b, group.n)).Mod(serverB, group.n)

	u := new(big.Int).SetBytes(hashed(group.padded(clientA), group.padded(serverB)))
	shared := new(big.Int).Exp(verifier, u, group.n)
	shared.Mul(shared, clientA).Exp(shared, b, group.n)
	key := hashed([]byte(shared.Text(16)))

	ofGroup := make([]byte, sha256.Size)
	subtle.XORBytes(ofGroup, hashed(group.n.Bytes()), hashed(group.g.Bytes()))
	proof := hashed(ofGroup, hashed([]byte(identity)), salt, clientA.Bytes(), serverB.Bytes(), key)
	return &srpExchange{
		serverB: serverB, key: key, clientProof: proof, serverProof: hashed(clientA.Bytes(), proof, key),
	}, nil
}

// srpIdentity is what the proofs have for the account's name.
func srpIdentity(keyUUID, email string) string {
	return base64.RawURLEncoding.EncodeToString(hashed(hashed([]byte(keyUUID)), hashed([]byte(strings.ToLower(email)))))
}

func hashed(parts ...[]byte) []byte {
	h := sha256.New()
	for _, part := range parts {
		_, _ = h.Write(part) // never fails
	}
	return h.Sum(nil)
}
