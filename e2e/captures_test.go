package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unlike is what differs from run to run, and what stands for it in a comparison.
var unlike = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{43}`), "FINGERPRINT"},
	{regexp.MustCompile(`ssh-ed25519 AAAA\S+`), "ssh-ed25519 KEY"},
	{regexp.MustCompile(`http://[a-z0-9.]+:\d+`), "http://CONNECT"},
	{regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+(:\d+)?`), "ADDRESS"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?(\.\d+)?( UTC|Z)?)?`), "TIME"},
	{regexp.MustCompile(`\bdocker \d[^ ;]*`), "docker VERSION"},
	{regexp.MustCompile(`\b\d+(\.\d+)? GiB`), "N GiB"},
	{regexp.MustCompile(`\b(sha256:)?[0-9a-f]{7,64}\b…?`), "DIGITS"}, // where there is one, see alike
	{regexp.MustCompile(`\b(\d+m)?\d+(\.\d+)? ?(ms|s|m)\b`), "A WHILE"},
	{regexp.MustCompile(` +`), " "},
}

// alike is text without what differs from run to run. Words of a page that are the names
// of its project are those of the test's.
func (c *scene) alike(text string) string {
	text = strings.NewReplacer(
		c.rig.registry.Address+"/e2e/"+c.project.Service, "registry.example.com/acme/shop",
		c.rig.registry.Address, "registry.example.com", c.project.Service, "shop", "myapp", "shop",
		"Send invoices from the jobs role", "Change",
	).Replace(text)
	for _, u := range unlike {
		text = u.is.ReplaceAllStringFunc(text, func(found string) string {
			if u.as == "DIGITS" && !strings.ContainsAny(found, "0123456789") {
				return found
			}
			return u.as
		})
	}
	return strings.TrimSpace(text)
}

// shown are the lines that a page of docs/ shows beneath a command line, or from a line
// on that begins with a text, to the end of the block.
func shown(t *testing.T, page, from string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var quoted bool
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		rest, quote := strings.CutPrefix(line, ">")
		rest = strings.TrimPrefix(rest, " ")
		switch {
		case lines == nil && line == "$ "+from:
			lines = []string{}
		case lines == nil && strings.HasPrefix(rest, from):
			lines, quoted = []string{rest}, quote
		case lines == nil:
		case strings.HasPrefix(line, "```"), strings.HasPrefix(line, "$ "), quoted && !quote:
			return lines
		default:
			lines = append(lines, rest)
		}
	}
	t.Fatalf("%s has no block with %q", page, from)
	return nil
}

// captured fails the test where a page of docs/ shows lines that a run has not said: what
// it shows from a command line or a text on (see shown) must stand in what the run has
// said, in that order. A page may leave lines out, and a … stands for anything.
func (c *scene) captured(page, from, said string) {
	c.t.Helper()
	var rest []string
	for line := range strings.Lines(said) {
		rest = append(rest, c.alike(line))
	}
	for _, line := range shown(c.t, page, from) {
		if line = c.alike(line); line == "" {
			continue
		}
		like := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*") + "$")
		at := 0
		for at < len(rest) && !like.MatchString(rest[at]) {
			at++
		}
		if at == len(rest) {
			c.t.Errorf("docs/%s shows %q, which the run has not said, or not there:\n%s\nall of it:\n%s", page, line, strings.Join(rest, "\n"), said)
			return
		}
		rest = rest[at+1:]
	}
}

// What the pages show is compared without what differs from run to run, and with all else.
func TestCaptures(t *testing.T) {
	c := &scene{t: t, rig: &rig{registry: &registry{Address: "127.0.0.1:5555"}}, project: &project{Service: "e2e-abcd"}}
	for said, page := range map[string]string{
		"192.168.1.1, role web: e2e-abcd-web-19202339e39299a440d0489e1c9a41dfa806db89": "203.0.113.10, role web: shop-web-6986c4948f11070191afa77c91452dec5140d4b0",
		"✓ deploy lock, 4.3 s":                                "✓ deploy lock, 12 s",
		"2026-11-30 14:38 UTC  db2c9f8122dc  done in 1m5s":    "2026-11-29 04:38 UTC db2c9f8122d1  done in 5s",
		"image: 127.0.0.1:5555/e2e/e2e-abcd:1920233 is there": "image: registry.example.com/acme/shop:19202e3 is there",
	} {
		if c.alike(said) != c.alike(page) {
			t.Errorf("%q is not %q", c.alike(said), c.alike(page))
		}
	}
	for said, page := range map[string]string{
		"role web": "role jobs", "~ secret A: another value": "~ secret B: another value", "--memory: 64m → 96m": "--memory: 64m", "deed": "dead",
	} {
		if c.alike(said) == c.alike(page) {
			t.Errorf("%q is taken for %q", said, page)
		}
	}
}
