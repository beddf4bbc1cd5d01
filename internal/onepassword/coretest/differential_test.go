//go:build !race

package coretest

import (
	"context"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	sdk "github.com/1password/onepassword-sdk-go"

	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// wider are the ways in which our syntax is wider than the SDK's, as the
// documentation of ParseReference lists them.
var wider = []struct {
	name string
	is   func(text string, ref onepassword.Reference) bool
}{
	{"a whole item", func(_ string, ref onepassword.Reference) bool { return ref.WholeItem() }},
	{"an attribute of the op CLI", func(_ string, ref onepassword.Reference) bool {
		return ref.Attribute != "" && ref.Attribute != "otp" && ref.Attribute != "totp"
	}},
	{"a character outside the SDK's alphabet", func(text string, _ onepassword.Reference) bool {
		path, _, _ := strings.Cut(strings.TrimPrefix(text, "op://"), "?")
		return !regexp.MustCompile(`^[A-Za-z0-9_. /-]*$`).MatchString(path)
	}},
}

// TestReferences_Differential holds our parser against the one of the SDK's core:
// what it accepts we accept, but for an empty part; what it refuses and we accept
// is one of the ways in which ours is wider.
func TestReferences_Differential(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	random := rand.New(rand.NewPCG(1, 2))
	counts := map[string]int{}
	for range n {
		text := generate(random)
		theirs := sdk.Secrets.ValidateSecretReference(context.Background(), text)
		ref, ours := onepassword.ParseReference(text)
		switch {
		case theirs == nil && ours == nil:
			counts["both accept"]++
			again, err := onepassword.ParseReference(onepassword.Reference{Vault: ref.Vault, Item: ref.Item, Section: ref.Section, Field: ref.Field, Attribute: ref.Attribute, SSHFormat: ref.SSHFormat}.String())
			if err != nil || again.String() != text {
				t.Errorf("%q is put together as %q: %v", text, again, err)
			}
		case theirs != nil && ours != nil:
			counts["both refuse"]++
		case theirs == nil:
			if !strings.Contains(ours.Error(), " is empty") {
				t.Errorf("%q: the SDK accepts it, and we say %v", text, ours)
			}
			counts["an empty part"]++
		default:
			way := ""
			for _, w := range wider {
				if w.is(text, ref) {
					way = w.name
				}
			}
			if way == "" {
				t.Errorf("%q: we accept it, and the SDK says %v", text, theirs)
			}
			counts[way]++
		}
	}
	t.Log(counts)
	for _, way := range []string{"both accept", "both refuse", "an empty part", wider[0].name, wider[1].name, wider[2].name} {
		if counts[way] < n/200 {
			t.Errorf("only %d references of the kind %q: the corpus is lopsided", counts[way], way)
		}
	}
}

// generate makes a text that is a reference, nearly one, or noise.
func generate(r *rand.Rand) string {
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	part := func() string {
		switch r.IntN(12) {
		case 0:
			return pick("", " ", ".", "..", "-", "_", "%", "%2", "%zz", "%41", "%2F", "%00", "%ff")
		case 1:
			return pick("a", "B") + pick("é", "ß", "+", ":", "@", "&", "=", "#", "'", "\"", "\\", "$", "{", "*", "~", ";", ",", "<", "\u00a0", "\u200b", "\U0001F511", "\t", "\n", "\r", "\x00", "\x7f", "\x85", "\xff") + pick("c", "")
		case 2:
			return strings.Repeat(pick("a", "b2", "z"), 26)[:26]
		case 3:
			return pick("private key", "one-time password", "notesPlain", "SSH_KEY", " x", "x ", "a  b")
		}
		const alphabet = "abcXYZ019_.- "
		b := make([]byte, 1+r.IntN(8))
		for i := range b {
			b[i] = alphabet[r.IntN(len(alphabet))]
		}
		return string(b)
	}
	var b strings.Builder
	if r.IntN(30) == 0 {
		b.WriteString(pick("", " op://", "OP://", "Op://", "op:/", "op:", "op:///", "https://", "op://op://", "\nop://", "\ufeffop://"))
	} else {
		b.WriteString("op://")
	}
	parts := []int{2, 3, 3, 3, 3, 4, 4, 4, 5, 1}[r.IntN(10)]
	for i := range parts {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(part())
	}
	if r.IntN(3) == 0 {
		b.WriteString("?" + pick("attribute", "attribute", "attribute", "ssh-format", "section", "Attribute", "", "attr"))
		b.WriteString(pick("=", "=", "=", "=", "=", "", "=="))
		b.WriteString(pick("otp", "totp", "openssh", "type", "title", "value", "id", "purpose", "content", "name", "size", "OTP", "", "otp ", "otp&a=b", "x?y"))
	}
	return b.String()
}
