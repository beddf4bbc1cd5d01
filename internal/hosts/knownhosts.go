package hosts

import (
	"bytes"
	"context"
	"net"
	"slices"

	"golang.org/x/crypto/ssh"
)

// A Lookup finds the addresses of a name, as net.Resolver.LookupHost does.
type Lookup func(ctx context.Context, host string) ([]string, error)

// KnownHosts is the file that makes the pins hold for every client, with strict
// checking. Seen with OpenSSH 9.2 and 10.6, Net::SSH 7.0 to 8.0, SSHKit 1.21 to
// 1.25:
//
//   - names are not hashed: with several types of key SSHKit gives up on hashes;
//   - the name and its addresses stand in one line: SSHKit looks both up and
//     keeps the keys that both have from the same line. A line with the name
//     alone is no key to it, and without strict checking it accepts any;
//   - RSA keys are left out where there is another: Net::SSH asks for the
//     signature that servers no longer make.
//
// A name that does not resolve has a line by itself: whoever logs in through a
// jump host does not look it up. Lines for hosts that are no targets are kept:
// a hook may log in there.
func (p *Pins) KnownHosts(ctx context.Context, targets []Target, lookup Lookup) []byte {
	var out bytes.Buffer
	for _, t := range everyHost(targets) {
		names := []string{knownName(t.Host, t.port())}
		if net.ParseIP(t.Host) == nil {
			addresses, err := lookup(ctx, t.Host)
			if err != nil {
				addresses = nil // the login check tells of it
			}
			addresses = slices.Clone(addresses) // may be the resolver's own
			slices.Sort(addresses)
			for _, a := range slices.Compact(addresses) {
				names = append(names, knownName(a, t.port()))
			}
		}
		for _, key := range wanted(p.of(t)) {
			out.Write(line(names, key))
		}
	}
	for _, pin := range p.pins {
		if names := pin.otherNames(targets); pin.key != nil && len(names) > 0 {
			out.Write(line(names, pin.key))
		}
	}
	return out.Bytes()
}

// wanted are the keys that are known, each once, RSA only if there is no other.
func wanted(pins []pin) []ssh.PublicKey {
	var keys, rsa []ssh.PublicKey
	seen := make(map[string]bool)
	for _, pin := range pins {
		if pin.key == nil || seen[pin.fingerprint] {
			continue
		}
		seen[pin.fingerprint] = true
		if pin.key.Type() == ssh.KeyAlgoRSA {
			rsa = append(rsa, pin.key)
		} else {
			keys = append(keys, pin.key)
		}
	}
	if len(keys) == 0 {
		return rsa
	}
	return keys
}

// otherNames are the names of a line that stand for no target. A pattern or a
// hash is left out: it could stand for a target, and bring back a key for it that
// a line with its port was to replace.
func (p pin) otherNames(targets []Target) []string {
	var names []string
	for _, pattern := range p.patterns {
		if pattern.not {
			return nil
		}
		if pattern.hash != nil || pattern.name == "" || bytes.ContainsAny([]byte(pattern.name), "*?") {
			continue
		}
		port := pattern.port
		if port == 0 {
			port = DefaultPort
		}
		isTarget := slices.ContainsFunc(everyHost(targets), func(t Target) bool {
			match, _ := pattern.matches(t.Host, t.port())
			return match
		})
		if !isTarget {
			names = append(names, knownName(pattern.name, port))
		}
	}
	return names
}
