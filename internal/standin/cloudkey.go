package standin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the hash of the padding that 1Password's keys name
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A sealed is something that is encrypted, as 1Password's API has all that is: with
// the name of the key, and the container that says what a key's JSON is.
type sealed struct {
	Container  string `json:"cty"`
	Encryption string `json:"enc"`
	KeyID      string `json:"kid"`
	IV         string `json:"iv,omitempty"`
	Data       string `json:"data"`

	// Of what the master unlock key encrypts alone: how that key comes about.
	Algorithm  string `json:"alg,omitempty"`
	Iterations int    `json:"p2c,omitempty"`
	Salt       string `json:"p2s,omitempty"`
}

const (
	sealedContainer = "b5+jwk+json"
	sealedAES       = "A256GCM"
	sealedRSA       = "RSA-OAEP"
)

// A cloudKey is a key of AES-256-GCM with its id.
type cloudKey struct {
	id  string
	key []byte
}

func newCloudKey(id string) cloudKey {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return cloudKey{id: id, key: key}
}

// jwk is the key as its JSON is where it is encrypted by another one.
func (k cloudKey) jwk() map[string]any {
	return map[string]any{
		"kty": "oct", "kid": k.id, "alg": sealedAES, "ext": true, "k": encoded(k.key), "key_ops": []string{"encrypt", "decrypt"},
	}
}

func (k cloudKey) cipher() cipher.AEAD {
	block, _ := aes.NewCipher(k.key) // of 32 bytes always
	gcm, _ := cipher.NewGCM(block)   // for which AES is made
	return gcm
}

// seal encrypts the JSON of a value.
func (k cloudKey) seal(value any) sealed {
	text, _ := json.Marshal(value) // what is sealed are keys and texts, which always have a JSON
	gcm := k.cipher()
	iv := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(iv)                 // never fails
	data := gcm.Seal(nil, iv, text, nil) //nolint:gosec // the nonce is random: it was read a line above
	return sealed{Container: sealedContainer, Encryption: sealedAES, KeyID: k.id, IV: encoded(iv), Data: encoded(data)}
}

// open decrypts what was sealed with this key.
func (k cloudKey) open(s sealed) ([]byte, error) {
	if s.KeyID != k.id || s.Encryption != sealedAES {
		return nil, fmt.Errorf("it is sealed with %s of the key %q", s.Encryption, s.KeyID)
	}
	iv, err := decoded(s.IV)
	if err != nil {
		return nil, err
	}
	data, err := decoded(s.Data)
	if err != nil {
		return nil, err
	}
	gcm := k.cipher()
	if len(iv) != gcm.NonceSize() {
		return nil, errors.New("its IV is not of 12 bytes")
	}
	return gcm.Open(nil, iv, data, nil)
}

// read decrypts the body of a request.
func (k cloudKey) read(body io.Reader, to any) error {
	var s sealed
	if err := json.NewDecoder(body).Decode(&s); err != nil {
		return err
	}
	text, err := k.open(s)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// sealTo encrypts the JSON of a key for the holder of an RSA key.
func sealTo(id string, key *rsa.PublicKey, value any) (sealed, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return sealed{}, err
	}
	data, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key, text, nil) //nolint:gosec // see the import
	if err != nil {
		return sealed{}, err
	}
	return sealed{Container: sealedContainer, Encryption: sealedRSA, KeyID: id, Data: encoded(data)}, nil
}

// publicJWK is an RSA key's public half as JSON.
func publicJWK(id string, key *rsa.PrivateKey) map[string]any {
	return map[string]any{
		"kty": "RSA", "kid": id, "alg": sealedRSA, "ext": true, "key_ops": []string{"encrypt"},
		"n": encoded(key.N.Bytes()), "e": encoded([]byte{byte(key.E >> 16), byte(key.E >> 8), byte(key.E)}),
	}
}

// privateJWK is the whole of it.
func privateJWK(id string, key *rsa.PrivateKey) map[string]any {
	jwk := publicJWK(id, key)
	jwk["key_ops"] = []string{"decrypt"}
	for name, number := range map[string][]byte{
		"d": key.D.Bytes(), "p": key.Primes[0].Bytes(), "q": key.Primes[1].Bytes(),
		"dp": key.Precomputed.Dp.Bytes(), "dq": key.Precomputed.Dq.Bytes(), "qi": key.Precomputed.Qinv.Bytes(),
	} {
		jwk[name] = encoded(number)
	}
	return jwk
}

// encoded is how the API has bytes in JSON.
func encoded(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func decoded(text string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(text) }
