package hosts

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// Problems are what stands in the way of the logins, one for each host; a key
// that no host takes is one problem of them all. A host that was not tried, as
// its jump host failed, has none of its own.
func Problems(results []Result, o Options) problem.List {
	var list problem.List
	var wrongKey *problem.Problem
	for _, r := range results {
		switch r.Outcome {
		case LoggedIn, JumpFailed:
		case WrongKey:
			if wrongKey == nil {
				wrongKey = problem.New("", "it is probably another key; compare it with ssh-keygen -l -f ~/.ssh/authorized_keys on a host").About(problem.LoginRefused)
				list = append(list, wrongKey)
			}
			wrongKey.Details = append(wrongKey.Details, r.Target.String())
			wrongKey.Message = fmt.Sprintf("none of the %d hosts takes %s", len(wrongKey.Details), o.keyNames())
		default:
			list = append(list, r.problem(o))
		}
	}
	return list
}

func (r Result) problem(o Options) *problem.Problem {
	t := r.Target
	host, who := display(t.Host, t.port()), t.String()
	p := problem.New("", "")
	if r.Detail != "" {
		p.Details = []string{r.Detail}
	}
	if r.Tries > 1 {
		p.Details = append(p.Details, fmt.Sprintf("tried %d times in %.0f s", r.Tries, r.Took.Seconds()))
	}
	limit := o.Time
	if limit == 0 {
		limit = loginTime
	}
	switch r.Outcome {
	case NoSuchName:
		p.Message, p.Hint = t.Host+" does not resolve", "check the name in deploy.yml"
	case PortClosed:
		p.Message, p.Hint = fmt.Sprintf("%s refuses connections to port %d", t.Host, t.port()), "check that the SSH server runs, and ssh.port in deploy.yml"
	case NoAnswer:
		p.Message, p.Hint = fmt.Sprintf("%s did not answer on port %d within %v", t.Host, t.port(), limit), "check the address, and that the server's firewall lets this machine in"
	case NotSSH:
		p.Message, p.Hint = host+" is no SSH server", "check ssh.port in deploy.yml"
	case HungUp:
		p.Message, p.Hint = host+" closed the connection before the login", "the server may ban addresses (fail2ban) or limit connections (MaxStartups)"
	case NoCommon:
		p.Message, p.Hint = host+" has no algorithm in common with current SSH clients", "update the SSH server"
	case HostDiffers:
		r.describeHostKey(p, o)
	case NoPublicKey:
		p.Message, p.Hint = who+" cannot log in with a key", "set PubkeyAuthentication yes on the server, or check ssh.user in deploy.yml"
	case NotAllowed:
		p.Message = who + " does not take " + o.keyNames()
		for _, k := range o.Keys {
			p.Details = append(p.Details, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k.Public()))))
		}
		p.Hint = "add this line to the user's ~/.ssh/authorized_keys on the server, or check ssh.user in deploy.yml"
	case TooMany:
		p.Message, p.Hint = host+" refused after too many keys", "give fewer keys, or raise MaxAuthTries on the server"
	case UserBarred:
		p.Message, p.Hint = who+" takes the key, but may not log in", "check PermitRootLogin, the account's shell and its expiry on the server, or ssh.user in deploy.yml"
	case OtherShell:
		p.Message = "the login shell of " + who + " is no POSIX shell, such as fish or csh, or a forced command lets not all through: Kamal's commands do not work there"
		p.Hint = "give that user sh or bash on the server (chsh -s /bin/bash), or log in as another with ssh.user in deploy.yml; a forced command has to run what it is asked for in such a shell"
	case JumpRefuses:
		p.Message, p.Hint = display(t.Jump.Host, t.Jump.port())+" does not forward to "+host, "set AllowTcpForwarding yes on the jump host"
	case ProxyFailed:
		p.Message, p.Hint = host+" cannot be reached in the way that its proxy goes", "look at ssh.proxy or ssh.proxy_command in deploy.yml, and at ProxyJump and ProxyCommand in the ssh configuration; with ssh "+t.Host+" the same can be tried by hand"
	default:
		p.Message = "logging in to " + who + " did not work"
	}
	return p.About(r.Outcome.help())
}

// describeHostKey says which key the host shows, and which were given for it.
func (r Result) describeHostKey(p *problem.Problem, o Options) {
	p.Message = display(r.Target.Host, r.Target.port()) + " has another host key than the one given in --host-keys"
	if r.HostKey != nil {
		p.Details = []string{"it shows " + ssh.FingerprintSHA256(r.HostKey) + " (" + r.HostKey.Type() + ")"}
	}
	if o.Pins != nil {
		for _, pin := range o.Pins.of(r.Target) {
			p.Details = append(p.Details, "given is "+pin.fingerprint)
		}
	}
	p.Hint = "if the server was set up again, replace its line; if not, something is between this machine and the server"
}

// help is where more is written of an outcome.
func (o Outcome) help() problem.Help {
	switch o {
	case HostDiffers:
		return problem.HostKeys
	case WrongKey, NoPublicKey, NotAllowed, TooMany, UserBarred:
		return problem.LoginRefused
	case OtherShell:
		return problem.LoginShell
	}
	return problem.HostUnreachable
}

// NoPublicKeyProblem is what to say of a host that the ssh configuration lets no key be tried at.
func NoPublicKeyProblem(host string) *problem.Problem {
	return problem.New("the ssh configuration does not let Kamal log in to "+host+" with a key",
		"take out PubkeyAuthentication no and PreferredAuthentications for this host, or set ssh.config: false in deploy.yml").About(problem.LoginRefused)
}

// keyNames are the keys by their fingerprints, as they stand in a sentence.
func (o Options) keyNames() string {
	if len(o.Keys) == 0 {
		return "a key: none was given"
	}
	names := make([]string, len(o.Keys))
	for i, k := range o.Keys {
		names[i] = k.Fingerprint()
	}
	if len(names) == 1 {
		return "the key " + names[0]
	}
	return "any of the keys " + strings.Join(names, ", ")
}

// nameable says that a line of host keys can stand for a host, and for no other: one whose
// name is a pattern, or a list, would have its key be that of others.
func nameable(host string) bool {
	return nameText().MatchString(host) && !strings.ContainsAny(host, "*?") && !isKeyType(host)
}

// Unnamed are the hosts that were asked and have no line for their name.
func Unnamed(results []Result) (list problem.List) {
	seen := map[string]bool{}
	for _, r := range results {
		if host := r.Target.Host; r.HostKey != nil && !nameable(host) && !seen[host] {
			seen[host] = true
			list = append(list, problem.Newf("%q is no name that a line of host keys can have: it would be for other hosts, too", host).About(problem.HostKeys))
		}
	}
	return list
}

// Lines are the host keys that were seen, in the form that --host-keys takes, a
// line each, of the hosts whose names can stand there.
func Lines(results []Result) string {
	var b strings.Builder
	seen := make(map[string]bool)
	for _, r := range results {
		name := knownName(r.Target.Host, r.Target.port())
		if r.HostKey == nil || !nameable(r.Target.Host) || seen[name] {
			continue
		}
		seen[name] = true
		b.Write(line([]string{name}, r.HostKey))
	}
	return b.String()
}

// FirstSightNotice is what a run without --host-keys says, once: that any host key was
// accepted, and which they were. It is nil where none was seen.
func FirstSightNotice(results []Result) *problem.Problem {
	lines := strings.Split(strings.TrimSpace(Lines(results)), "\n")
	if lines[0] == "" {
		return nil
	}
	p := problem.New("host keys were accepted on first sight", "to have them checked from now on, give these lines as host-keys").About(problem.HostKeys)
	p.Details = lines
	return p
}
