package onepassword_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// tokenBody is what a service account token holds; its parts open nothing.
func tokenBody() map[string]any {
	return map[string]any{
		"signInAddress": "sample.1password.com", "userAuth": map[string]any{"method": "SRPg-4096"}, "email": "sample@example.com",
		"srpX": strings.Repeat("5a", 32), "muk": map[string]any{"k": "sample-muk-sample-muk"}, "secretKey": "A3-SAMPLE-SAMPLE-SAMPL",
		"throttleSecret": map[string]any{"seed": strings.Repeat("7b", 32)}, "deviceUuid": "aaaaaaaaaaaaaaaaaaaaaaaaaa",
	}
}

func serviceToken(t testing.TB, without ...string) string {
	body := tokenBody()
	maps.DeleteFunc(body, func(k string, _ any) bool { return len(without) > 0 && k == without[0] })
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return "ops_" + base64.RawURLEncoding.EncodeToString(text)
}

func connectToken() string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + e([]byte(`{"sub":"sample"}`)) + "." + e([]byte("sample signature"))
}

func TestCheckTokens(t *testing.T) {
	service, connect := serviceToken(t), connectToken()
	for name, test := range map[string]struct{ token, service, connect string }{
		"service account": {service, "", "is a service account token"},
		"connect":         {connect, "is a Connect token", ""},
		"no throttle":     {serviceToken(t, "throttleSecret"), "", "is a service account token"},
		"no muk":          {serviceToken(t, "muk"), "lacks muk", "is a service account token"},
		"no srpX":         {serviceToken(t, "srpX"), "lacks srpX", "is a service account token"},
		"empty":           {"", "is empty", "is empty"},
		"blank":           {" \n", "is empty", "is empty"},
		"newline":         {service + "\n", "white space around it", "white space around it"},
		"two lines":       {"ops_abc\ndef", "white space in it", "white space in it"},
		"masked":          {"***", "nothing but asterisks", "nothing but asterisks"},
		"reference":       {"op://vault/item/token", "is a secret reference", "is a secret reference"},
		"variable":        {"$TOKEN", "name of a variable", "name of a variable"},
		"expression":      {"${{secrets.TOKEN}}", "name of a variable", "name of a variable"},
		"quotes":          {`"` + service + `"`, "stands in quotes", "stands in quotes"},
		"other prefix":    {"ghp_0123456789", "does not begin with ops_", "not a JSON Web Token"},
		"prefix alone":    {"ops_", "cut off or altered", "is a service account token"},
		"truncated":       {service[:len(service)/2], "cut off or altered", "is a service account token"},
		"one byte less":   {service[:len(service)-1], "cut off", "is a service account token"},
		"not base64":      {"ops_a+b/c", "characters in it that no token has", "is a service account token"},
		"JWT cut off":     {connect[:strings.LastIndex(connect, ".")], "does not begin with ops_", "not a JSON Web Token"},
		"JWT without end": {connect[:strings.LastIndex(connect, ".")+1], "is a Connect token", "part 3 of the Connect token"},
		"JWT altered":     {"eyJ*." + strings.SplitN(connect, ".", 2)[1], "is a Connect token", "part 1 of the Connect token"},
		"credentials":     {`{"verifier":{}}`, "does not begin with ops_", "is a credentials file"},
	} {
		for kind, c := range map[string]struct {
			err  error
			want string
		}{"service account": {onepassword.CheckToken(test.token), test.service}, "Connect": {onepassword.CheckConnectToken(test.token), test.connect}} {
			switch {
			case c.want == "" && c.err != nil:
				t.Errorf("%s as %s: %v", name, kind, c.err)
			case c.want == "":
			case c.err == nil || !strings.Contains(c.err.Error(), c.want):
				t.Errorf("%s as %s: %v, want %q", name, kind, c.err, c.want)
			case problem.Status(c.err) != problem.Usage || problem.Of(c.err)[0].Hint == "":
				t.Errorf("%s as %s: status %d, hint %q", name, kind, problem.Status(c.err), problem.Of(c.err)[0].Hint)
			case len(test.token) > 20 && strings.Contains(fmt.Sprint(problem.Of(c.err)[0]), test.token[4:20]):
				t.Errorf("%s as %s: the problem has a part of the token", name, kind)
			}
		}
	}
}

func TestTokenParts(t *testing.T) {
	token := serviceToken(t)
	got := map[string]bool{}
	for _, s := range onepassword.TokenParts(token) {
		got[s.Reveal()] = true
		if fmt.Sprint(s) != "***" {
			t.Errorf("%s prints", s.Name())
		}
	}
	for _, want := range []string{token, token[4:], strings.Repeat("5a", 32), "sample-muk-sample-muk", "A3-SAMPLE-SAMPLE-SAMPL", "A3SAMPLESAMPLESAMPL", strings.Repeat("7b", 32)} {
		if !got[want] {
			t.Errorf("the parts lack %d bytes that begin with %.4s", len(want), want)
		}
	}
	if n := len(onepassword.TokenParts("")); n != 0 {
		t.Errorf("%d parts of no token", n)
	}
	connect := onepassword.TokenParts(connectToken())
	if len(connect) != 2 || connect[0].Reveal() != connectToken() || !strings.HasSuffix(connectToken(), "."+connect[1].Reveal()) {
		t.Errorf("%d parts of a Connect token", len(connect))
	}
	if parts := onepassword.TokenParts("ops_notbase64!"); len(parts) != 2 {
		t.Errorf("%d parts of a broken token", len(parts))
	}
}

func TestReadTokenFile(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(fifo, []byte("token\n"), 0) }()
	for _, test := range []struct{ path, want, wrong string }{
		{file("plain", "token", 0o600), "token", ""},
		{file("newline", "token\n", 0o400), "token", ""},
		{file("crlf", "token\r\n", 0o600), "token", ""},
		{file("two", "token\n\n", 0o600), "token\n", ""},
		{fifo, "token", ""},
		{file("group", "token", 0o640), "", "can be read by others: its mode is 0640"},
		{file("others", "token", 0o604), "", "can be read by others"},
		{file("empty", "\n", 0o600), "", "is empty"},
		{file("largest", strings.Repeat("x", 64<<10), 0o600), strings.Repeat("x", 64<<10), ""},
		{file("larger", strings.Repeat("x", 64<<10+1), 0o600), "", "is larger than any token"},
		{file("large", strings.Repeat("x", 70<<10), 0o600), "", "is larger than any token"},
		{dir, "", "is a directory"},
		{filepath.Join(dir, "none"), "", "does not exist"},
		{"/dev/null", "", "is no regular file"},
	} {
		got, err := onepassword.ReadTokenFile(test.path)
		switch {
		case test.wrong == "" && (err != nil || got != test.want):
			t.Errorf("%s: %q, %v", test.path, got, err)
		case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong) || problem.Status(err) != problem.Usage):
			t.Errorf("%s: %v, want %q", test.path, err, test.wrong)
		}
	}
}
