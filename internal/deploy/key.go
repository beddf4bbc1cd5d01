package deploy

import (
	"errors"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/sshagent"
)

// parseKey reads the private key of an item and holds it against the public key
// and the fingerprint that the item has beside it: a damaged key can load without
// a word and then log in nowhere.
func parseKey(from onepassword.SSHKey) (*sshagent.Key, error) {
	key, err := sshagent.ParseKey([]byte(from.Private.Reveal()), nil)
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
