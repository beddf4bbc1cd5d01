package hosts

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// A line is written for the host that was asked and for no other: a name that is a
// pattern, a list, or more than a line has none, and that is told.
func TestLines_NameTheHostAlone(t *testing.T) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for host, named := range map[string]bool{
		"app.example.com": true, "192.0.2.1": true, "2001:db8::1": true, "fe80::1%eth0": true, "my_host-1": true,
		"*": false, "*.example.com": false, "a?": false, "!a": false, "a,b": false, "a b": false, "a\nb": false, "a\n* ": false,
		"@cert-authority": false, "#a": false, "|1|x|y": false, "": false, "a\x1b[2J": false, "ssh-rsa": false,
	} {
		for _, port := range []int{0, 2222} {
			results := []Result{{Target: Target{Host: host, Port: port}, HostKey: key}, {Target: Target{Host: host, Port: port}, HostKey: key}}
			lines := Lines(results)
			if got := lines != ""; got != named || named && strings.Count(lines, "\n") != 1 {
				t.Errorf("%q has %q", host, lines)
			}
			if told := len(Unnamed(results)); told != map[bool]int{true: 0, false: 1}[named] {
				t.Errorf("%q is told %d times", host, told)
			}
			if !named {
				continue
			}
			pins, err := ParsePins(lines, "a test")
			if err != nil || !pins.Accepts(Target{Host: host, Port: port}, key) || pins.Accepts(Target{Host: "other.example.com", Port: port}, key) {
				t.Errorf("%q: %v", lines, err)
			}
		}
	}
}
