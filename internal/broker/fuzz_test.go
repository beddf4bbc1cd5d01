package broker

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// A fixed vault has one item, and fails the test of what it does not know by
// answering that it is not there.
type fixed struct{ item onepassword.Item }

const fixedValue = "fixed-value-of-the-field"

func newFixed() fixed {
	return fixed{onepassword.Item{
		ID: "i", Title: "Item", Vault: onepassword.Vault{ID: "v", Name: "V"}, Sections: []onepassword.Section{{ID: "s", Label: "sec"}},
		Fields: []onepassword.Field{
			{ID: "f", Label: "A", Type: "CONCEALED", Value: mask.NewSecret("A", fixedValue)},
			{ID: "g", Label: "b", Type: "STRING", Section: "s", Value: mask.NewSecret("b", "")},
		},
	}}
}

func (v fixed) Item(_ context.Context, vault, item string) (*onepassword.Item, error) {
	if vault != "V" || item != "Item" {
		return nil, problem.Newf("%q has no item %q", vault, item)
	}
	return &v.item, nil
}

func (v fixed) Read(_ context.Context, ref onepassword.Reference) (mask.Secret, error) {
	for _, f := range v.item.Fields {
		if ref.Vault == "V" && strings.EqualFold(f.Label, ref.Field) {
			return f.Value, nil
		}
	}
	return mask.Secret{}, problem.Newf("%s is not there", ref)
}

func (v fixed) Vaults(context.Context) ([]onepassword.Vault, error) {
	return []onepassword.Vault{v.item.Vault, {ID: "w", Name: "W"}}, nil
}

func (v fixed) Items(context.Context, string) ([]onepassword.Overview, error) {
	return []onepassword.Overview{{ID: "i", Title: "Item", Category: "LOGIN"}}, nil
}

func (v fixed) Environment(context.Context, string) ([]onepassword.Variable, error) {
	return nil, problem.Newf("no Environments here")
}

// newTestBroker is a broker without a socket.
func newTestBroker(masked *[]string) *Broker {
	o := Options{
		Vault: newFixed(), Vaults: []string{"V"}, ListenOptions: ListenOptions{Now: time.Now},
		Declared: []DeclaredSecret{{Secret: mask.NewSecret("D", "declared-value")}},
		Mask: func(secrets []mask.Secret) error {
			for _, s := range secrets {
				*masked = append(*masked, s.Reveal())
			}
			return nil
		},
	}
	b := newBroker(o.ListenOptions)
	b.Open(o)
	return b
}

// FuzzAnswer: no request brings the broker down, and no value leaves it that was
// not given to the masker first.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		`{"op":{"args":["read","op://V/Item/A"]}}`,
		`{"op":{"args":["item","get","Item","--vault","V","--format","json","--fields","label=A,label=sec.b,type=concealed"]}}`,
		`{"op":{"args":["inject"],"stdin":"e3sgb3A6Ly9WL0l0ZW0vQSB9fQ==","env":["A=1"]}}`,
		`{"op":{"args":["run","--","x"],"env":["A=op://V/Item/A","B=op://$A/x/y"]}}`,
		`{"op":{"args":["-v"]}}`, `{"op":{"args":["--","read"]}}`, `{"op":{"args":["item"]}}`, `{"op":{}}`,
		`{"hello":{"pid":1,"aside":[{"part":"x","why":"y"}]}}`,
		`{"check":{"dir":"/nonexistent","files":["x"],"command":"deploy","used":[{"name":"A","key":"env.secret"}],` +
			`"secrets":[{"name":"A","value":"eA==","failed":[{"how":"depends","detail":"A"}]}],"also":["eA=="],"output":["file"]}}`,
		`{"check":{}}`, `{}`, `null`, `x`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var masked []string
		b := newTestBroker(&masked)
		answer := b.answer(t.Context(), line)
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		reply, ok := answer.(*opclient.Reply)
		if !ok {
			return
		}
		if strings.Contains(string(reply.Stdout)+strings.Join(reply.Set, ""), fixedValue) && (len(masked) == 0 || masked[0] != fixedValue) {
			t.Errorf("a value left that is not masked: %s", text)
		}
		if strings.Contains(reply.Stderr, fixedValue) {
			t.Error("a value stands in an error")
		}
	})
}

func FuzzParseFlags(f *testing.F) {
	f.Add("item\x00get\x00--vault=V\x00-oX\x00--\x00x")
	f.Fuzz(func(t *testing.T, text string) {
		args := strings.Split(text, "\x00")
		c, err := parseFlags(args)
		if err != nil {
			return
		}
		if n := len(c.words) + len(c.flags) + len(c.rest); n > len(args) {
			t.Errorf("%d arguments became %d", len(args), n)
		}
	})
}
