package hosts

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/problem"
)

func keyLine(k ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k))) }

func hashed(name string) string {
	salt := []byte("12345678901234567890")
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return "|1|" + base64.StdEncoding.EncodeToString(salt) + "|" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func TestParsePins_KnowsTheHostsOfAKey(t *testing.T) {
	_, k := hostKey(t, "ed25519")
	key := keyLine(k)
	for name, c := range map[string]struct {
		line   string
		target Target
		accept bool
	}{
		"name":                    {"app.example.com " + key, Target{Host: "app.example.com"}, true},
		"name in capitals":        {"App.Example.com " + key, Target{Host: "app.example.com"}, true},
		"another name":            {"app.example.com " + key, Target{Host: "db.example.com"}, false},
		"name and address":        {"app,203.0.113.5 " + key, Target{Host: "203.0.113.5"}, true},
		"a comment after it":      {"app " + key + " root@app", Target{Host: "app"}, true},
		"tabs":                    {"app\t" + strings.ReplaceAll(key, " ", "\t"), Target{Host: "app"}, true},
		"key without its type":    {"app " + strings.Fields(key)[1], Target{Host: "app"}, true},
		"fingerprint":             {"app " + ssh.FingerprintSHA256(k), Target{Host: "app"}, true},
		"fingerprint, padded":     {"app " + ssh.FingerprintSHA256(k) + "=", Target{Host: "app"}, true},
		"port in brackets":        {"[app]:2222 " + key, Target{Host: "app", Port: 2222}, true},
		"port":                    {"app:2222 " + key, Target{Host: "app", Port: 2222}, true},
		"another port":            {"[app]:2222 " + key, Target{Host: "app", Port: 22}, false},
		"no port, for any":        {"app " + key, Target{Host: "app", Port: 2222}, true},
		"IPv6":                    {"2001:db8::1 " + key, Target{Host: "2001:db8::1"}, true},
		"IPv6 with a port":        {"[2001:db8::1]:2222 " + key, Target{Host: "2001:db8::1", Port: 2222}, true},
		"pattern":                 {"*.example.com " + key, Target{Host: "app.example.com"}, true},
		"pattern of one":          {"app-? " + key, Target{Host: "app-1"}, true},
		"pattern that is not its": {"*.example.com " + key, Target{Host: "example.com"}, false},
		"but not this":            {"*.example.com,!db.example.com " + key, Target{Host: "db.example.com"}, false},
		"but not that":            {"*.example.com,!db.example.com " + key, Target{Host: "app.example.com"}, true},
		"hashed":                  {hashed("app") + " " + key, Target{Host: "app"}, true},
		"hashed with a port":      {hashed("[app]:2222") + " " + key, Target{Host: "app", Port: 2222}, true},
		"hashed, another":         {hashed("app") + " " + key, Target{Host: "db"}, false},
		"a host named ssh-app":    {"ssh-app " + key, Target{Host: "ssh-app"}, true},
		"CRLF":                    {"app " + key + "\r", Target{Host: "app"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			pins, err := ParsePins("# a comment\n\n"+c.line+"\n", "--host-keys")
			check(t, err)
			if got := pins.Accepts(c.target, k); got != c.accept {
				t.Errorf("accepts is %v", got)
			}
			if got := len(pins.Missing([]Target{c.target})) == 0; got != c.accept {
				t.Errorf("has a key is %v", got)
			}
		})
	}
}

func TestParsePins_RefusesBadLines(t *testing.T) {
	_, k := hostKey(t, "ed25519")
	key := keyLine(k)
	good := "app " + key + "\n"
	for name, c := range map[string]struct{ text, says string }{
		"nothing":          {"", "has no host key"},
		"only comments":    {"# app\n", "has no host key"},
		"private key":      {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "is a private key"},
		"no host":          {key, "a key without its host"},
		"no host, comment": {key + " root@app", "a key without its host"},
		"only fingerprint": {ssh.FingerprintSHA256(k), "a fingerprint without its host"},
		"no key":           {"app", "a host without a key"},
		"MD5":              {"app " + ssh.FingerprintLegacyMD5(k), "MD5"},
		"cut off":          {"app " + key[:40], "cut off"},
		"DSA":              {"app ssh-dss " + base64.StdEncoding.EncodeToString([]byte("x")), "cut off"},
		"short sum":        {"app SHA256:abc", "not a host and its key"},
		"words":            {"see the wiki", "not a host and its key"},
		"authority":        {"@cert-authority *.example.com " + key, "@cert-authority is not enforced"},
		"revoked":          {"@revoked app " + key, "@revoked is not enforced"},
		"port":             {"[app]:99999 " + key, "not a host and its key"},
		"no bracket":       {"[app:2222 " + key, "not a host and its key"},
		"port of words":    {"app:2222x " + key, "not a host and its key"},
		"port in brackets": {"[app:2222x] " + key, "not a host and its key"},
		"broken hash":      {"|1|x|y " + key, "not a host and its key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParsePins(c.text, "--host-keys")
			list := problem.Of(err)
			if len(list) != 1 || !strings.Contains(list[0].Message, c.says) || list[0].Hint == "" || list[0].Status != problem.Usage {
				t.Fatalf("%+v", list)
			}
			for _, word := range strings.Fields(c.text) {
				if len(word) > 20 && strings.Contains(err.Error(), word) {
					t.Errorf("the error holds the text: %v", err)
				}
			}
		})
	}
	_, err := ParsePins(good+"app\n"+good+key+"\n", "input host-keys")
	list := problem.Of(err)
	if len(list) != 2 || list[0].Place.Line != 2 || list[1].Place.Line != 4 || list[1].Place.File != "input host-keys" {
		t.Errorf("%+v", list)
	}
}

func TestMissing(t *testing.T) {
	_, k := hostKey(t, "ed25519")
	_, rsa := hostKey(t, "rsa")
	pins, err := ParsePins("app "+keyLine(k)+"\nold "+keyLine(rsa)+"\nboth "+keyLine(rsa)+"\nboth "+keyLine(k), "--host-keys")
	check(t, err)
	jump := Target{Host: "jump", User: "ops"}
	list := pins.Missing([]Target{{Host: "app", Jump: &jump}, {Host: "app", User: "other"}, {Host: "old"}, {Host: "both"}})
	if len(list) != 2 || !strings.HasPrefix(list[0].Message, "jump has no line") || !strings.HasPrefix(list[1].Message, "old has only an RSA key") {
		t.Errorf("%v", list)
	}
}

func TestKnownHosts_Shape(t *testing.T) {
	_, k := hostKey(t, "ed25519")
	_, ec := hostKey(t, "ecdsa")
	_, rsa := hostKey(t, "rsa")
	key := keyLine(k)
	lookup := names(map[string][]string{"app": {"203.0.113.9", "203.0.113.5", "2001:db8::1", "203.0.113.5"}, "db": {"203.0.113.7"}})
	for name, c := range map[string]struct {
		pins    string
		targets []Target
		want    string
	}{
		"name":                    {"app " + key, []Target{{Host: "app"}}, "app,2001:db8::1,203.0.113.5,203.0.113.9 " + key},
		"port":                    {"app " + key, []Target{{Host: "db", Port: 22}, {Host: "app", Port: 2222}}, "[app]:2222,[2001:db8::1]:2222,[203.0.113.5]:2222,[203.0.113.9]:2222 " + key},
		"address":                 {"203.0.113.5 " + key, []Target{{Host: "203.0.113.5"}}, "203.0.113.5 " + key},
		"hash":                    {hashed("db") + " " + key, []Target{{Host: "db"}}, "db,203.0.113.7 " + key},
		"pattern":                 {"d* " + key, []Target{{Host: "db"}}, "db,203.0.113.7 " + key},
		"does not resolve":        {"inside " + key, []Target{{Host: "inside"}}, "inside " + key},
		"two kinds":               {"db " + key + "\ndb " + keyLine(ec), []Target{{Host: "db"}}, "db,203.0.113.7 " + key + "\ndb,203.0.113.7 " + keyLine(ec)},
		"RSA beside another":      {"db " + keyLine(rsa) + "\ndb " + key, []Target{{Host: "db"}}, "db,203.0.113.7 " + key},
		"RSA alone":               {"db " + keyLine(rsa), []Target{{Host: "db"}}, "db,203.0.113.7 " + keyLine(rsa)},
		"a comment is left out":   {"db " + key + " root@db", []Target{{Host: "db"}}, "db,203.0.113.7 " + key},
		"fingerprint, not learnt": {"db " + ssh.FingerprintSHA256(k), []Target{{Host: "db"}}, ""},
		"twice":                   {"db " + key + "\n" + hashed("db") + " " + key, []Target{{Host: "db"}}, "db,203.0.113.7 " + key},
		"no target":               {"github.com " + key + "\n[git.example.com]:2222 " + key, nil, "github.com " + key + "\n[git.example.com]:2222 " + key},
		"no target, a pattern":    {"*.example.com " + key, nil, ""},
		"any port, and one port":  {"db " + keyLine(ec) + "\n[db]:2222 " + key, []Target{{Host: "db", Port: 2222}}, "[db]:2222,[203.0.113.7]:2222 " + key},
		"no target, but not":      {"git.example.com,!git.example.com " + key, nil, ""},
		// A file's own signs in a host's name: what a line leaves out would come back.
		"a host that is two":         {"!prod.example.com,*.example.com " + key, []Target{{Host: "a,prod.example.com"}}, ""},
		"a host that is a pattern":   {"!prod.example.com,*.example.com " + key, []Target{{Host: "*.example.com"}}, ""},
		"a host that is a line":      {"* " + key, []Target{{Host: "@cert-authority"}, {Host: "a b"}, {Host: "a\nb"}, {Host: "#a"}}, ""},
		"address beside, no target":  {"db,203.0.113.7 " + key, []Target{{Host: "db"}}, "db,203.0.113.7 " + key + "\n203.0.113.7 " + key},
		"jump host":                  {"app " + key + "\ndb " + keyLine(ec), []Target{{Host: "app", Port: 9, Jump: &Target{Host: "db"}}}, "db,203.0.113.7 " + keyLine(ec) + "\n[app]:9,[2001:db8::1]:9,[203.0.113.5]:9,[203.0.113.9]:9 " + key},
		"one host, two users, twice": {"db " + key, []Target{{Host: "db"}, {Host: "db", User: "deploy"}}, "db,203.0.113.7 " + key},
	} {
		t.Run(name, func(t *testing.T) {
			pins, err := ParsePins(c.pins, "--host-keys")
			check(t, err)
			if got := strings.TrimSpace(string(pins.KnownHosts(t.Context(), c.targets, lookup))); got != c.want {
				t.Errorf("the file is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// A fingerprint is one key's to its last letter.
func TestAccepts_ComparesTheWholeFingerprint(t *testing.T) {
	_, k := hostKey(t, "ed25519")
	sum := ssh.FingerprintSHA256(k)
	for _, at := range []int{len("SHA256:"), len(sum) / 2, len(sum) - 2} {
		other := "A"
		if sum[at] == 'A' {
			other = "B"
		}
		pins, err := ParsePins("db "+sum[:at]+other+sum[at+1:], "--host-keys")
		check(t, err)
		pins.Learn(Target{Host: "db"}, k)
		if pins.Accepts(Target{Host: "db"}, k) || len(pins.WithoutKey([]Target{{Host: "db"}})) != 1 {
			t.Errorf("a key whose fingerprint differs at %d is accepted", at)
		}
	}
}

func TestLearn(t *testing.T) {
	_, k := hostKey(t, "ed25519")
	_, other := hostKey(t, "ed25519")
	db := Target{Host: "db"}
	pins, err := ParsePins("db "+ssh.FingerprintSHA256(k), "--host-keys")
	check(t, err)
	if left := pins.WithoutKey([]Target{db}); len(left) != 1 {
		t.Errorf("%v", left)
	}
	pins.Learn(db, other)
	if left := pins.WithoutKey([]Target{db}); len(left) != 1 {
		t.Error("learnt a key that was not given")
	}
	pins.Learn(db, k)
	if left := pins.WithoutKey([]Target{db}); len(left) != 0 {
		t.Errorf("%v", left)
	}
	if got := pins.Fingerprints(); len(got) != 1 || got[0] != ssh.FingerprintSHA256(k) {
		t.Errorf("fingerprints are %v", got)
	}
	none := func(context.Context, string) ([]string, error) { return nil, context.Canceled }
	if got := string(pins.KnownHosts(t.Context(), []Target{db}, none)); got != "db "+keyLine(k)+"\n" {
		t.Errorf("the file is %q", got)
	}
}

// portOfSSH is a host with the port that known_hosts leaves out.
var portOfSSH = regexp.MustCompile(`\]:0*22\b`)

func FuzzParsePins(f *testing.F) {
	_, k := hostKey(f, "ed25519")
	key := keyLine(k)
	for _, line := range []string{
		"app " + key, "[app]:22,-x " + key, "[app]:2222,!x " + key, hashed("app") + " " + key, "app " + ssh.FingerprintSHA256(k),
		"@revoked app " + key, "*.example.com " + key, key, "# " + key, "2001:db8::1 " + key, "app " + key[12:],
	} {
		f.Add(line + "\n")
	}
	lookup := names(map[string][]string{"app": {"203.0.113.9"}})
	target := Target{Host: "app", Port: 2222}
	f.Fuzz(func(t *testing.T, text string) {
		pins, err := ParsePins(text, "--host-keys")
		if err != nil {
			if len(problem.Of(err)) == 0 {
				t.Fatal("an error without a problem")
			}
			return
		}
		file := string(pins.KnownHosts(t.Context(), []Target{target}, lookup))
		// What we write, we read, and it accepts the same keys. A name without a port is
		// port 22's to the clients that read the file, and any port's to us.
		if file == "" || portOfSSH.MatchString(text) {
			return
		}
		again, err := ParsePins(file, "the file")
		if err != nil {
			t.Fatalf("%v: %q", err, file)
		}
		for _, pin := range again.of(target) {
			if !pins.Accepts(target, pin.key) {
				t.Fatalf("accepts more than was given: %q", file)
			}
		}
		for line := range strings.Lines(file) {
			if f := strings.Fields(line); len(f) != 3 || strings.ContainsAny(f[0], "*?!|@") {
				t.Fatalf("a line of another shape: %q", line)
			}
		}
	})
}

// A fingerprint has the name of its host where a line says it in the clear.
func TestName(t *testing.T) {
	const sum = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for line, want := range map[string]string{
		"192.0.2.1 " + sum:              "192.0.2.1",
		"[app.example.com]:2222 " + sum: "app.example.com:2222",
		"*.example.com " + sum:          "",
	} {
		p, err := ParsePins(line, "a test")
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Name(sum); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
		if got := p.Name("SHA256:another"); got != "" {
			t.Errorf("%s: another key is %q", line, got)
		}
	}
}
