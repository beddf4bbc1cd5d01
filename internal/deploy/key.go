package deploy

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
	"github.com/kamal-op/kamal-op/sshagent"
)

// buildKey is made of an SSH key for the labels that say which secrets an image was built
// with. Everybody can read such a label: who has not the key cannot try values until one
// fits. It is the same in each run, and neither the key nor a value can be had back.
func buildKey(private mask.Secret) mask.Secret {
	mac := hmac.New(sha256.New, []byte(strings.TrimSpace(private.Reveal())))
	mac.Write([]byte("kamal-op: what an image is built of"))
	return mask.NewSecret("the key of images' labels", hex.EncodeToString(mac.Sum(nil)))
}

// parseKey reads the private key of an item and holds it against the public key
// and the fingerprint that the item has beside it: a damaged key can load without
// a word and then log in nowhere. Certificates of the key are taken from wherever
// in the item they are: beside it, in the place of the public key, in the key's own
// field.
func parseKey(from onepassword.SSHKey, as Value, passphrase mask.Secret, passphraseFrom Value) (*sshagent.Key, error) {
	where := keyItem(from, as)
	field := where
	if !as.loaded() {
		field = from.Ref.Field + " in " + where
	}
	text, certificates := splitCertificates(from.Private.Reveal())
	if strings.TrimSpace(text) == "" {
		text = from.Private.Reveal() // it is told that it is no private key
	}
	key, err := sshagent.ParseKey([]byte(text), []byte(passphrase.Reveal()))
	if errors.Is(err, &sshagent.KeyError{Kind: sshagent.WrongPassphrase}) {
		if trimmed := strings.TrimRight(passphrase.Reveal(), "\r\n"); trimmed != passphrase.Reveal() {
			if _, e := sshagent.ParseKey([]byte(text), []byte(trimmed)); e == nil {
				return nil, problem.New("the passphrase in "+passphraseFrom.String()+" ends with a line break, and is the key's without it",
					"take the line break out of the field").About(problem.UnusableKey)
			}
		}
	}
	if err != nil {
		return nil, keyProblem(field, err)
	}
	for _, other := range []string{from.Public, from.Fingerprint} {
		rest, more := splitCertificates(other)
		certificates = append(certificates, more...)
		if strings.TrimSpace(rest) == "" {
			continue
		}
		if err := key.Check(rest); err != nil {
			return nil, keyProblem(field, err)
		}
	}
	if from.Certificate != "" && !strings.Contains(from.Certificate, "-----BEGIN") { // an X.509 one is for something else
		certificates = append(certificates, from.Certificate)
	}
	for _, certificate := range certificates {
		if err := key.Certify([]byte(certificate)); err != nil {
			return nil, certificateProblem("the SSH certificate in "+where, err)
		}
	}
	return key, nil
}

// certificateLine is a line that is an SSH certificate, as a -cert.pub file has it.
var certificateLine = lazy.Regexp(`(?m)^[ \t]*(?:ssh|ecdsa|sk)-[a-z0-9@.-]+-cert-v01@openssh\.com[ \t]+AAAA[^\r\n]*(?:\r?\n|$)`)

// splitCertificates takes the certificates out of a text.
func splitCertificates(text string) (rest string, certificates []string) {
	return certificateLine().ReplaceAllString(text, ""), certificateLine().FindAllString(text, -1)
}

// A Certificate is one that was given by --ssh-certificate, as text or by the
// reference of the field that holds it.
type Certificate struct {
	Ref  onepassword.Reference // the zero Reference where the text is given
	Text string
	From string // the option, for problems
}

// certify gives each certificate to the key that it belongs to.
func (s *resources) certify(ctx context.Context, certificates []Certificate) (problems problem.List) {
	for _, c := range certificates {
		text := c.Text
		if c.Ref.Item != "" {
			field, err := s.resolver.Read(ctx, c.Ref)
			if err != nil {
				problems = append(problems, problem.Of(err)...)
				continue
			}
			text = field.Reveal()
		}
		err := error(problem.New(c.From+" is of no key: none is given", "give the key with --ssh-key").About(problem.UnusableKey))
		for _, key := range s.keys {
			if err = key.Certify([]byte(text)); err == nil || !errors.Is(err, &sshagent.KeyError{Kind: sshagent.Mismatch}) {
				break
			}
		}
		if err != nil {
			problems = append(problems, problem.Of(certificateProblem(c.From, err))...)
		}
	}
	return problems
}

// certificateProblem says why a certificate is not used.
func certificateProblem(what string, err error) error {
	var wrong *sshagent.KeyError
	if !errors.As(err, &wrong) {
		return err
	}
	return &problem.Problem{Message: what + " " + wrong.Message, Hint: wrong.Hint, Status: problem.Found, Cause: err, Help: problem.UnusableKey}
}

// keyItem is where a key came from: its item, or the variable that it was loaded into.
func keyItem(from onepassword.SSHKey, as Value) string {
	if as.loaded() {
		return as.String()
	}
	ref := from.Ref
	ref.Section, ref.Field = "", ""
	return ref.String()
}

// keyProblem says what is in the field, or the variable, in place of a usable key:
// "SSH_KEY in op://MyApp/Server is a public key".
func keyProblem(where string, err error) error {
	var wrong *sshagent.KeyError
	if !errors.As(err, &wrong) {
		return err
	}
	return &problem.Problem{
		Message: where + " " + wrong.Message,
		Hint:    wrong.Hint,
		Status:  problem.Found,
		Cause:   err,
		Help:    problem.UnusableKey,
	}
}

// mostRefusals bounds the refusals that are listed at the end: a hook may ask for ever.
const mostRefusals = 20

// handleAgentEvent records what the agent was asked for, and warns of a signature that
// was refused: the client that asked for it does not say why.
func (s *resources) handleAgentEvent(e sshagent.Event) {
	s.noteSignature(e)
	if e.Signed || e.Request != "sign" {
		return
	}
	who := e.Peer.Executable
	if who == "" {
		who = "a program"
	}
	p := problem.New(fmt.Sprintf("the agent refused %s a signature: %s", who, e.Reason), "").About(problem.LoginRefused)
	s.addRefusal(p.Message)
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

// addRefusal keeps a refusal for the end of the run. It reports whether the refusal is
// new and there is room for it.
func (s *resources) addRefusal(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.refusals, text) || len(s.refusals) >= mostRefusals {
		return false
	}
	s.refusals = append(s.refusals, text)
	return true
}

// logSignatures logs in one line what the agent was used for.
func (s *resources) logSignatures() {
	if s.agent == nil || s.signaturesLogged {
		return
	}
	counts := s.agent.Counts()
	if counts.Signed+counts.Refused == 0 {
		return
	}
	s.signaturesLogged = true
	s.System.Info("the agent made " + counts.String())
}
