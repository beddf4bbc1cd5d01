package deploy

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// An ItemVersion says when a secret's item was changed last.
type ItemVersion struct {
	Version uint32    `json:"version"`
	Changed time.Time `json:"changed,omitzero"`
}

// Verify compares what the running containers have with the vault: Kamal is asked, over
// its own connections, and no value is written anywhere. For the declared secrets it
// also gives when their items were changed. o is Kamal's options.
func (j Job) Verify(ctx context.Context, o kamal.ArgOptions) (running []kamal.Running, items map[string]ItemVersion, err error) {
	s, err := j.Open(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	out, err := s.Ask(ctx, Call{
		Title: "asking the containers what they have", Args: kamal.Args(kamal.RunningCommand, o),
		Preload: kamal.RunningPreload,
	})
	if err != nil {
		return nil, nil, err
	}
	if running, err = kamal.ParseRunning(out); err != nil {
		return nil, nil, err
	}
	items = map[string]ItemVersion{}
	for _, d := range j.Wanted.Secrets {
		if d.Environment != "" || d.Name == "" || !d.FromVault() {
			continue
		}
		if item, err := s.r.resolver.Item(ctx, d.Ref.Vault, d.Ref.Item); err == nil {
			changed, _ := time.Parse(time.RFC3339, item.UpdatedAt) // zero where it is not known
			items[d.Name] = ItemVersion{Version: uint32(item.Version), Changed: changed}
		}
	}
	return running, items, nil
}

// Ask asks Kamal one question: what the call writes to standard output is given back
// as it is, to be read by us and shown to nobody.
func (j Job) Ask(ctx context.Context, c Call) (out []byte, err error) {
	s, err := j.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Ask(ctx, c)
}

// Ask is a job's Ask, in a session.
func (s *Session) Ask(ctx context.Context, c Call) ([]byte, error) {
	c.Capture = true
	out, err := s.Run(ctx, c)
	return out, withoutCopies(err)
}

// withoutCopies gives the hint that holds here: what output.file and output.otel
// copy at Kamal's lowest level would be the digests with their salt.
func withoutCopies(err error) error {
	var list problem.List
	for _, p := range problem.Of(err) {
		q := *p
		if strings.Contains(q.Hint, "--allow-output-copies") {
			q.Hint = "ask with a destination or a --config-file that has no output"
		}
		list = append(list, &q)
	}
	return list.Err()
}
