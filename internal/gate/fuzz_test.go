package gate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// FuzzGate puts a random value into random text, and that into a random way out: the
// value is not in what leaves, and nothing of it is a command.
func FuzzGate(f *testing.F) {
	f.Add("corr3ct horse", "::error::%s##[x]", uint8(0), uint8(1))
	f.Add("a\nb\"c\\d12345", "%s##vso[%s]\x1b]0;%s\u202e", uint8(3), uint8(7))
	f.Add("##[group]", "##%s", uint8(1), uint8(0))
	f.Add("00000000", "%s", uint8(4), uint8(0))
	f.Add("00000000", "\x10"+"0000000", uint8(3), uint8(0))
	f.Fuzz(func(t *testing.T, value, text string, cell, size uint8) {
		trimmed := strings.TrimSpace(value)
		// What the masker does not take, what its own token and our own marks hold, and
		// several lines, of which each counts for itself, are other tests' matter.
		if len(trimmed) < 8 || !utf8.ValidString(value+text) || strings.ContainsAny(value, "\r\n*\\:#[]\x00") || strings.ContainsRune(value, 0x1b) {
			t.Skip()
		}
		m := mask.New()
		m.AddSecret(mask.NewSecret("V", value))
		if asked := cell % 9; (asked == 4 || asked == 5) && len(m.Noisy()) > 0 {
			t.Skip() // what programs read keeps a common word: see Value
		}
		text = strings.ReplaceAll(text, "%s", value)
		var out bytes.Buffer
		file := filepath.Join(t.TempDir(), "file")
		g := gate.New(gate.Options{Env: map[string]string{"CI": "true"}, Stdout: &out, Run: func(stdin io.Reader, name string, args ...string) error {
			fmt.Fprint(&out, name, args)
			_, err := io.Copy(&out, stdin)
			return err
		}})
		g.Mask(mask.NewSecret("V", value))
		s := g.Stdout()
		log := true
		switch cell % 9 {
		case 0:
			_ = s.Line(text)
		case 1:
			fmt.Fprint(s, text)
		case 2:
			child := s.Child(s, gate.ChildOptions{Source: gate.Remote})
			for rest := text; rest != ""; {
				n := min(int(size)+1, len(rest))
				fmt.Fprint(child, rest[:n])
				rest = rest[n:]
			}
			_ = child.Close()
		case 3:
			doc := marshal(t, map[string]any{text: []string{text}})
			_, _ = s.JSON().Write(doc)
			if !json.Valid(out.Bytes()) {
				t.Errorf("%q became %q", doc, out.Bytes())
			}
		case 4:
			log = false
			_ = g.Help(text, "agent", text)
		case 5:
			log = false
			_ = g.Append(file, "FILE", func(string) string { return g.Value(text) })
			written, _ := os.ReadFile(file)
			out.Write(written)
		case 6:
			client := http.Client{Transport: g.Transport(sink{&out})}
			if resp, err := client.Post("http://api.invalid/", "application/json", bytes.NewReader(marshal(t, text))); err == nil {
				_ = resp.Body.Close()
			}
		case 7:
			log = false
			fmt.Fprint(&out, gate.Cleaned(g, problem.Problem{Message: text, Details: []string{text}, Hint: text}))
		case 8:
			log = false
			fmt.Fprint(&out, g.Error(problem.New(text, text)))
		}
		got := out.String()
		// An escape such as \x10 may end in the first digit of a value that is not there.
		if strings.Contains(text, trimmed) && strings.Contains(got, trimmed) && !strings.Contains(strings.ReplaceAll(text, value, "\x00"), trimmed) {
			t.Errorf("the value %q is in cell %d: %q", value, cell%9, got)
		}
		if lower := strings.ToLower(got); log && (strings.Contains(lower, "##[") || strings.Contains(lower, "##vso[") || strings.Contains(lower, "##teamcity[")) {
			t.Errorf("a command is in cell %d: %q", cell%9, got)
		}
	})
}

// A sink is an API that is sent something.
type sink struct{ to io.Writer }

func (s sink) RoundTrip(req *http.Request) (*http.Response, error) {
	_, err := io.Copy(s.to, req.Body)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, err
}

func marshal(t *testing.T, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
