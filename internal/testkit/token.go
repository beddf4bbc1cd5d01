package testkit

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// ServiceToken is a well-formed token of a service account whose account is at an
// address that 1Password's SDK sends nothing to. Its parts open nothing.
func ServiceToken() string {
	text, err := json.Marshal(map[string]any{
		"signInAddress": "127.0.0.1",
		"userAuth":      map[string]any{"method": "SRPg-4096", "alg": "PBES2g-HS256", "iterations": 650000, "salt": strings.Repeat("A", 22)},
		"email":         "sample@1passwordserviceaccounts.com",
		"srpX":          strings.Repeat("5a", 32),
		"muk":           map[string]any{"alg": "A256GCM", "ext": true, "k": (rand.Text() + rand.Text())[:43], "key_ops": []string{"encrypt", "decrypt"}, "kty": "oct", "kid": "mp"},
		"secretKey":     "A3-SAMPLE-SAMPLE-SAMPL-SAMPL-SAMPL-SAMPL",
		"deviceUuid":    strings.Repeat("a", 26),
	})
	if err != nil {
		panic(err) // it is made of texts and numbers
	}
	return "ops_" + base64.RawURLEncoding.EncodeToString(text)
}
