package hosts

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what OpenSSH hashes names in known_hosts with
	"encoding/base64"
	"net"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Pins are the host keys that a team gave: the only ones that a run accepts.
type Pins struct{ pins []pin }

// A pin is one line: a key, or its fingerprint, for the hosts that its patterns
// match.
type pin struct {
	patterns    []pattern
	key         ssh.PublicKey // nil where only the fingerprint was given
	fingerprint string
}

// A pattern is a host as a line names it.
type pattern struct {
	name       string // may have * and ?
	port       int    // 0: none was given
	not        bool   // !name: the line is not for this host
	salt, hash []byte // of a hashed name; then name is empty
}

const (
	hintKeys  = "a line is `host SHA256:fingerprint` or `host ssh-ed25519 AAAA…`; `kamal-op host-keys` prints them"
	hintPlain = "give the hosts' own keys; `kamal-op host-keys` prints them"
)

var (
	sha256Text  = lazy.Regexp(`^SHA256:[A-Za-z0-9+/]{43}=?$`)
	md5Text     = lazy.Regexp(`^(MD5:)?([0-9a-fA-F]{2}:){15}[0-9a-fA-F]{2}$`)
	keyTypeText = lazy.Regexp(`^(ssh-(rsa|dss|ed25519)|ecdsa-sha2-nistp[0-9]+|(sk-)?[a-z0-9-]+@openssh\.com)$`)
	nameText    = lazy.Regexp(`^[A-Za-z0-9_.:*?%-]+$`)
)

// ParsePins reads what --host-keys was given: known_hosts lines, `host key` and
// `host SHA256:fingerprint`, a line each, with # comments. from is where the text
// comes from, for the places of problems. All problems come together; none holds
// anything of the text, which may be a key that was pasted by mistake.
func ParsePins(text, from string) (*Pins, error) {
	if strings.Contains(text, "PRIVATE KEY") {
		return nil, problem.List{problem.Usagef(hintKeys, "%s is a private key, not host keys", from).About(problem.HostKeys)}
	}
	var p Pins
	var wrong problem.List
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		next, bad := parsePin(line)
		if bad != nil {
			wrong = append(wrong, bad.At(from, i+1, 0))
			continue
		}
		p.pins = append(p.pins, next)
	}
	if len(wrong) == 0 && len(p.pins) == 0 {
		wrong = append(wrong, problem.Usagef(hintKeys, "%s has no host key", from).About(problem.HostKeys))
	}
	if err := wrong.Err(); err != nil {
		return nil, err
	}
	return &p, nil
}

// Add takes in other's host keys as well.
func (p *Pins) Add(other *Pins) { p.pins = append(p.pins, other.pins...) }

func parsePin(line string) (pin, *problem.Problem) {
	fields := strings.Fields(line)
	switch {
	case strings.HasPrefix(fields[0], "@cert-authority"), strings.HasPrefix(fields[0], "@revoked"):
		return pin{}, problem.Usagef(hintPlain, "%s is not enforced by SSHKit, which Kamal logs in with", fields[0]).About(problem.HostKeys)
	case isKeyType(fields[0]):
		return pin{}, problem.Usagef("put the host's name or address before it", "a key without its host").About(problem.HostKeys)
	case sha256Text().MatchString(fields[0]), md5Text().MatchString(fields[0]):
		return pin{}, problem.Usagef("put the host's name or address before it", "a fingerprint without its host").About(problem.HostKeys)
	case len(fields) == 1:
		return pin{}, problem.Usagef(hintKeys, "a host without a key").About(problem.HostKeys)
	}
	patterns, ok := parsePatterns(fields[0])
	if !ok {
		return pin{}, problem.Usagef(hintKeys, "not a host and its key").About(problem.HostKeys)
	}
	p := pin{patterns: patterns}
	value := fields[1]
	switch {
	case sha256Text().MatchString(value):
		p.fingerprint = strings.TrimRight(value, "=")
		return p, nil
	case md5Text().MatchString(value):
		return pin{}, problem.Usagef("ssh-keygen -l prints SHA256 fingerprints", "an MD5 fingerprint, which is too weak").About(problem.HostKeys)
	case isKeyType(value) && len(fields) > 2:
		value += " " + fields[2]
	case strings.HasPrefix(value, "AAAA"): // the key without its type
		if blob, err := base64.StdEncoding.DecodeString(value); err == nil {
			if key, err := ssh.ParsePublicKey(blob); err == nil {
				value = key.Type() + " " + value
			}
		}
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(value))
	if err != nil {
		return pin{}, problem.Usagef(hintKeys, "not a host and its key, or the key is cut off").About(problem.HostKeys)
	}
	if !slices.Contains(clientTypes(), key.Type()) {
		return pin{}, problem.Usagef("give the host's ed25519 or ecdsa key", "a %s key, which not all clients can check", key.Type()).About(problem.HostKeys)
	}
	p.key, p.fingerprint = key, ssh.FingerprintSHA256(key)
	return p, nil
}

// clientTypes are the types that every client knows: Net::SSH's, without DSA.
func clientTypes() []string {
	return []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSA}
}

func isKeyType(s string) bool { return keyTypeText().MatchString(s) }

func parsePatterns(list string) ([]pattern, bool) {
	var out []pattern
	for word := range strings.SplitSeq(list, ",") {
		var p pattern
		if rest, ok := strings.CutPrefix(word, "|1|"); ok {
			salt, hash, _ := strings.Cut(rest, "|")
			var err1, err2 error
			p.salt, err1 = base64.StdEncoding.DecodeString(salt)
			p.hash, err2 = base64.StdEncoding.DecodeString(hash)
			if err1 != nil || err2 != nil || len(p.hash) != sha1.Size {
				return nil, false
			}
			out = append(out, p)
			continue
		}
		word, p.not = strings.CutPrefix(word, "!")
		p.name = word
		if host, port, err := net.SplitHostPort(word); err == nil { // [host]:port, and host:port
			n, err := strconv.Atoi(port)
			if err != nil || n < 1 || n > 65535 {
				return nil, false
			}
			p.name, p.port = host, n
		}
		if inner, ok := strings.CutPrefix(p.name, "["); ok {
			if inner, ok = strings.CutSuffix(inner, "]"); !ok {
				return nil, false
			}
			p.name = inner
		}
		if strings.Count(p.name, ":") == 1 { // host:port with no such port, and no address
			return nil, false
		}
		if !nameText().MatchString(p.name) || isKeyType(p.name) { // before a key it would be taken for the key's
			return nil, false
		}
		out = append(out, p)
	}
	return out, true
}

// matches reports whether the pattern is for a host; exactly: and for its port.
func (p pattern) matches(host string, port int) (match, exactly bool) {
	if p.hash != nil {
		for _, name := range []string{knownName(host, port), host} {
			mac := hmac.New(sha1.New, p.salt)
			mac.Write([]byte(name))
			if hmac.Equal(mac.Sum(nil), p.hash) {
				return true, name == knownName(host, port)
			}
		}
		return false, false
	}
	if p.port != 0 && p.port != port || !glob(strings.ToLower(p.name), strings.ToLower(host)) {
		return false, false
	}
	return true, p.port == port || port == DefaultPort
}

// glob matches known_hosts' patterns: * is any characters, ? is one.
func glob(pattern, s string) bool {
	star, after := -1, 0
	i, j := 0, 0
	for j < len(s) {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, after = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == s[j]):
			i++
			j++
		case star >= 0:
			after++
			i, j = star+1, after
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

func (p pin) matches(host string, port int) (match, exactly bool) {
	for _, pattern := range p.patterns {
		is, exact := pattern.matches(host, port)
		if is && pattern.not {
			return false, false
		}
		match, exactly = match || is, exactly || exact
	}
	return match, exactly
}

// of are the pins for a target. A line without a port is for every port of its
// host, unless another line names the port. A host with signs of known_hosts' own in
// its name has none: a line that we write for it would be of other hosts.
func (p *Pins) of(t Target) []pin {
	if strings.ContainsAny(t.Host, "*?!,|@# \t\r\n") {
		return nil
	}
	var exact, loose []pin
	for _, pin := range p.pins {
		switch match, exactly := pin.matches(t.Host, t.port()); {
		case exactly:
			exact = append(exact, pin)
		case match:
			loose = append(loose, pin)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return loose
}

// Accepts reports whether key is one of those that were given for the target.
func (p *Pins) Accepts(t Target, key ssh.PublicKey) bool {
	sum := ssh.FingerprintSHA256(key)
	return slices.ContainsFunc(p.of(t), func(pin pin) bool { return pin.fingerprint == sum })
}

// Fingerprints are those of all keys that were given, for the agent's own check
// (sshagent.Options.HostKeys).
func (p *Pins) Fingerprints() []string {
	var out []string
	for _, pin := range p.pins {
		out = append(out, pin.fingerprint)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Name is the host whose key has this fingerprint, as its line names it; "" where no
// line names one host, in the clear, for it.
func (p *Pins) Name(fingerprint string) string {
	for _, pin := range p.pins {
		if pin.fingerprint != fingerprint || len(pin.patterns) == 0 {
			continue
		}
		if first := pin.patterns[0]; first.name != "" && !first.not && !strings.ContainsAny(first.name, "*?") {
			return display(first.name, cmp.Or(first.port, DefaultPort))
		}
	}
	return ""
}

// Missing are problems, one for each target that no key was given for, and for
// each with an RSA key only, which Net::SSH cannot ask a current server for.
func (p *Pins) Missing(targets []Target) problem.List {
	var wrong problem.List
	for _, t := range everyHost(targets) {
		pins := p.of(t)
		rsa := func(pin pin) bool { return pin.key != nil && pin.key.Type() == ssh.KeyAlgoRSA }
		switch {
		case len(pins) == 0:
			wrong = append(wrong, problem.New(display(t.Host, t.port())+" has no line in --host-keys", "add its key; `kamal-op host-keys` prints it").About(problem.HostKeys))
		case !slices.ContainsFunc(pins, func(pin pin) bool { return !rsa(pin) }):
			wrong = append(wrong, problem.New(display(t.Host, t.port())+" has only an RSA key in --host-keys, which Kamal's SSH library cannot ask for", "give its ed25519 or ecdsa key; `kamal-op host-keys` prints it").About(problem.HostKeys))
		}
	}
	return wrong
}

// Learn takes the key of a host whose fingerprint was given, as a check or a scan
// saw it. A key that was not given is not learnt.
func (p *Pins) Learn(t Target, key ssh.PublicKey) {
	sum := ssh.FingerprintSHA256(key)
	for i := range p.pins {
		if match, _ := p.pins[i].matches(t.Host, t.port()); match && p.pins[i].fingerprint == sum {
			p.pins[i].key = key
		}
	}
}

// WithoutKey are the targets of which only fingerprints were given, and no key has
// been seen yet.
func (p *Pins) WithoutKey(targets []Target) []Target {
	var out []Target
	for _, t := range everyHost(targets) {
		pins := p.of(t)
		if len(pins) > 0 && !slices.ContainsFunc(pins, func(pin pin) bool { return pin.key != nil }) {
			out = append(out, t)
		}
	}
	return out
}

// everyHost are the targets and the hosts they go through, each host once.
func everyHost(targets []Target) []Target {
	return withJumps(targets, func(t Target) string { return knownName(t.Host, t.port()) })
}

// line is a line of known_hosts.
func line(names []string, key ssh.PublicKey) []byte {
	var b bytes.Buffer
	b.WriteString(strings.Join(names, ","))
	b.WriteByte(' ')
	b.Write(ssh.MarshalAuthorizedKey(key))
	return b.Bytes()
}
