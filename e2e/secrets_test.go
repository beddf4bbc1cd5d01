package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/testkit"
	"golang.org/x/crypto/ssh"
)

// randomText is n random bytes as hex: a value that stands nowhere else.
func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

func digest(value string) string {
	sum := sha256.Sum256([]byte(value))
	return hex.EncodeToString(sum[:])
}

// A keyPair is a key made for one test, as the vault holds it.
type keyPair struct {
	Public ssh.PublicKey
	PEM    string
}

func newKey(t *testing.T) keyPair {
	t.Helper()
	private, signer := testkit.SSHKey(t, "")
	return keyPair{Public: signer.PublicKey(), PEM: private}
}

func newRSAKey(t *testing.T) keyPair {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(block)
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{Public: signer.PublicKey(), PEM: string(text)}
}

// leaks are the names of the secrets that stand in a text: whole, any line of
// them that is long enough to be one, and both in base64 at each of the three
// places that a value can have in what is encoded around it.
func leaks(text string, secrets map[string]string) []string {
	var found []string
	// A value that was encoded over several lines is looked for without them.
	joined := regexp.MustCompile(`[\r\n]+`).ReplaceAllString(text, "")
	for name, value := range secrets {
		for form, needle := range forms(value) {
			if strings.Contains(text, needle) || strings.HasPrefix(form, "base64") && strings.Contains(joined, needle) {
				found = append(found, name+" ("+form+")")
			}
		}
	}
	return found
}

// forms are the texts that give a value away, by what they are.
func forms(value string) map[string]string {
	forms := make(map[string]string)
	add := func(what, part string) {
		if len(part) < 4 {
			return
		}
		forms[what] = part
		for shift := range 3 {
			if encoded := inBase64(part, shift); len(encoded) >= 8 {
				forms[fmt.Sprintf("base64 of %s, shift %d", what, shift)] = encoded
			}
		}
	}
	add("the value", strings.TrimSpace(value))
	if lines := strings.Split(strings.TrimSpace(value), "\n"); len(lines) > 1 {
		for i, line := range lines {
			if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
				add(fmt.Sprintf("line %d", i+1), line)
			}
		}
	}
	// base64 forms start with "base64", all others must not.
	return forms
}

// inBase64 is the part of a text's base64 that does not depend on what stands
// before (shift bytes of it) and after.
func inBase64(text string, shift int) string {
	padded := strings.Repeat("\x00", shift) + text
	padded = padded[:len(padded)/3*3]
	encoded := base64.StdEncoding.EncodeToString([]byte(padded))
	if shift > 0 && len(encoded) >= 4 {
		encoded = encoded[4:]
	}
	return encoded
}

// The search itself must be able to find something.
func TestLeaksAreFound(t *testing.T) {
	const value = "correct horse battery staple"
	secrets := map[string]string{"NAME": value, "KEY": "-----BEGIN X-----\nfirst line of it\nsecond line of it\n-----END X-----\n"}
	for text, want := range map[string]int{
		"nothing here, not even -----BEGIN X-----":                                                    0,
		"it is " + value + ".":                                                                        1,
		"a second line of it, alone":                                                                  1,
		base64.StdEncoding.EncodeToString([]byte(value)):                                              1,
		base64.StdEncoding.EncodeToString([]byte("u:" + value)):                                       1,
		base64.StdEncoding.EncodeToString([]byte("uu:" + value + "!")):                                1,
		base64.StdEncoding.EncodeToString([]byte("first line of it")):                                 1,
		strings.Join(regexp.MustCompile(`.{1,16}`).FindAllString(inBase64(value, 0), -1), "\n") + "x": 1,
	} {
		if found := leaks(text, secrets); (len(found) > 0) != (want > 0) {
			t.Errorf("in %q: found %q", text, found)
		}
	}
}
