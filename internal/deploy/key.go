package deploy

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
	"github.com/kamal-op/kamal-op/sshagent"
)

// parseKey reads the private key of an item and holds it against the public key
// and the fingerprint that the item has beside it: a damaged key can load without
// a word and then log in nowhere.
func parseKey(from onepassword.SSHKey, passphrase mask.Secret) (*sshagent.Key, error) {
	key, err := sshagent.ParseKey([]byte(from.Private.Reveal()), []byte(passphrase.Reveal()))
	if err != nil {
		return nil, keyProblem(from.Ref, err)
	}
	for _, other := range []string{from.Public, from.Fingerprint} {
		if other == "" {
			continue
		}
		if err := key.Check(other); err != nil {
			return nil, keyProblem(from.Ref, err)
		}
	}
	return key, nil
}

// keyProblem tells what is in the field in place of a usable key: "SSH_KEY in
// op://MyApp/Server is a public key".
func keyProblem(ref onepassword.Reference, err error) error {
	var wrong *sshagent.KeyError
	if !errors.As(err, &wrong) {
		return err
	}
	item := ref
	item.Section, item.Field = "", ""
	return &problem.Problem{
		Message: ref.Field + " in " + item.String() + " " + wrong.Message,
		Hint:    wrong.Hint,
		Status:  problem.Found,
		Cause:   err,
	}
}

// mostRefusals is how many refusals are told at the end: a hook may ask for ever.
const mostRefusals = 20

// refused tells a person of a signature that the agent would not make: the client
// that asked for it only says that it was refused.
func (s *session) refused(e sshagent.Event) {
	if e.Signed || e.Request != "sign" {
		return
	}
	who := e.Peer.Executable
	if who == "" {
		who = "a program"
	}
	p := problem.New(fmt.Sprintf("the agent refused %s a signature: %s", who, e.Reason), "")
	s.mu.Lock()
	if !slices.Contains(s.refusals, p.Message) && len(s.refusals) < mostRefusals {
		s.refusals = append(s.refusals, p.Message)
	}
	s.mu.Unlock()
	p.Hint = refusalHint(e)
	s.System.Warning(p)
}

// refusalHint is what allows what was refused, where it can be allowed.
func refusalHint(e sshagent.Event) string {
	switch {
	case e.Forwarded:
		return "if a server is to use the key, allow it with --forward-agent"
	case e.Reason == sshagent.ReasonUser:
		return "if that login is wanted, allow the user with --ssh-user " + kamal.ShellWord(e.User)
	case e.Reason == sshagent.ReasonStranger:
		return "if a program that the run has not started is to use the key, such as one in a container, allow it with --allow-any-peer"
	}
	return ""
}

// tellSignatures says in one line what the agent was used for.
func (s *session) tellSignatures() {
	counts := s.agent.Counts()
	if counts.Signed+counts.Refused == 0 {
		return
	}
	s.System.Info("the agent made " + counts.String())
}
