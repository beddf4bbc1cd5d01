package onepassword

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/mask"
)

// DesktopOptions are what a backend over a person's own op is made of.
type DesktopOptions struct {
	Op  string   // the path of the op command
	Env []string // its environment; the SDK's and Connect's variables do not belong in it
}

// Desktop is the backend that asks a person's own op, unlocked through the desktop
// app. It is for a terminal, never for CI. op authorises a terminal once, so that
// the handful of calls of a batch asks the person once.
type Desktop struct {
	o DesktopOptions
}

// NewDesktop makes the backend. Nothing is run yet.
func NewDesktop(o DesktopOptions) (*Desktop, error) {
	if o.Op == "" {
		return nil, errors.New("the op command has no path")
	}
	return &Desktop{o: o}, nil
}

// Name is that of the command.
func (d *Desktop) Name() string { return "op" }

// Close does nothing: the session is the person's.
func (d *Desktop) Close() error { return nil }

const unlock = "is the 1Password app unlocked, and is its CLI integration on?"

type opItem struct {
	connectItem
	UpdatedOp string `json:"updated_at"`
	CreatedOp string `json:"created_at"`
}

// Vaults lists the vaults of the account.
func (d *Desktop) Vaults(ctx context.Context) ([]Vault, error) {
	var found []connectVault
	if err := d.json(ctx, nil, one(&found), "vault", "list"); err != nil {
		return nil, err
	}
	vaults := make([]Vault, len(found))
	for i, v := range found {
		vaults[i] = Vault(v)
	}
	return vaults, nil
}

// Items lists the items of a vault.
func (d *Desktop) Items(ctx context.Context, vaultID string) ([]Overview, error) {
	var found []opItem
	if err := d.json(ctx, nil, one(&found), "item", "list", "--vault", vaultID); err != nil {
		return nil, err
	}
	items := make([]Overview, len(found))
	for n, i := range found {
		items[n] = Overview{ID: i.ID, Title: i.Title, Category: i.Category, Version: i.Version, Tags: i.Tags, Archived: i.State != ""}
	}
	return items, nil
}

// Get gets items with one call: op takes a list on its standard input.
func (d *Desktop) Get(ctx context.Context, vaultID string, itemIDs []string) []ItemResult {
	got := make([]ItemResult, len(itemIDs))
	type ask struct {
		ID    string       `json:"id"`
		Vault connectVault `json:"vault"`
	}
	asked := make([]ask, len(itemIDs))
	for i, id := range itemIDs {
		asked[i] = ask{ID: id, Vault: connectVault{ID: vaultID}}
	}
	stdin, err := json.Marshal(asked)
	if err != nil {
		return failAll(got, err)
	}
	found := map[string]*Item{}
	err = d.json(ctx, stdin, func(dec *json.Decoder) error {
		for {
			var i opItem
			switch err := dec.Decode(&i); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return err
			}
			found[i.ID] = i.item(vaultID)
		}
	}, "item", "get", "-", "--reveal")
	if err != nil {
		if reasonOf(err) == NotFound && len(itemIDs) > 1 {
			for n, id := range itemIDs {
				got[n] = d.Get(ctx, vaultID, []string{id})[0]
			}
			return got
		}
		return failAll(got, err)
	}
	for n, id := range itemIDs {
		if got[n].Item = found[id]; found[id] == nil {
			got[n].Err = &BackendError{Reason: NotFound, Message: "op gave no item of the id " + id}
		}
	}
	return got
}

func (i *opItem) item(vaultID string) *Item {
	if i.CreatedAt == "" {
		i.CreatedAt, i.UpdatedAt = i.CreatedOp, i.UpdatedOp
	}
	return i.connectItem.item(vaultID)
}

func failAll(got []ItemResult, err error) []ItemResult {
	for i := range got {
		got[i] = ItemResult{Err: err}
	}
	return got
}

// ReadFile reads a file of an item.
func (d *Desktop) ReadFile(ctx context.Context, item *Item, file File) ([]byte, error) {
	ref := Reference{Vault: item.Vault.ID, Item: item.ID, Section: file.Section, Field: file.ID}
	return d.run(ctx, nil, "read", "--no-newline", ref.String())
}

// Environment lists the variables of an Environment.
func (d *Desktop) Environment(ctx context.Context, id string) ([]Variable, error) {
	out, err := d.run(ctx, nil, "environment", "read", id)
	if err != nil {
		return nil, err
	}
	var variables []Variable
	for line := range strings.Lines(string(out)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if !ok || !IsEnvironmentName(name) {
			return nil, &BackendError{Reason: Broken, Message: "op environment read gave a line that is not NAME=value", Hint: "declare the variables one by one"}
		}
		variables = append(variables, Variable{Value: mask.NewSecret(name, value), Masked: true})
	}
	return variables, nil
}

func one(into any) func(*json.Decoder) error {
	return func(dec *json.Decoder) error { return dec.Decode(into) }
}

func (d *Desktop) json(ctx context.Context, stdin []byte, decode func(*json.Decoder) error, args ...string) error {
	out, err := d.run(ctx, stdin, append(args, "--format", "json")...)
	if err != nil {
		return err
	}
	if err := decode(json.NewDecoder(bytes.NewReader(out))); err != nil {
		return &BackendError{Reason: Broken, Message: fmt.Sprintf("op %s %s gave something else than JSON", args[0], args[1]), Hint: "bring op up to date: 2.30 or later", Cause: err}
	}
	return nil
}

func (d *Desktop) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, d.o.Op, args...)
	cmd.Env = d.o.Env
	cmd.Stdin = bytes.NewReader(stdin)
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, ctx.Err()
	case ctx.Err() != nil:
		return nil, &BackendError{Reason: RanOut, Message: fmt.Sprintf("op %s %s did not answer in time", args[0], args[1]), Hint: unlock, Cause: ctx.Err()}
	}
	// op leaves a daemon behind now and then, which may hold the pipes open.
	if err == nil || errors.Is(err, exec.ErrWaitDelay) && cmd.ProcessState.Success() {
		return stdout.Bytes(), nil
	}
	said := strings.Join(strings.Fields(stderr.String()), " ")
	if strings.HasPrefix(said, "[ERROR] ") {
		// [ERROR] 2024/01/02 03:04:05 message
		if parts := strings.SplitN(said, " ", 4); len(parts) == 4 {
			said = parts[3]
		}
	}
	f := &BackendError{Reason: Denied, Message: fmt.Sprintf("op %s %s: %s", args[0], args[1], said), Hint: unlock, Cause: err}
	var exit *exec.ExitError
	switch {
	case !errors.As(err, &exit):
		f.Reason, f.Message = Unreachable, "op could not be run"
	case strings.Contains(said, "isn't an item") || strings.Contains(said, "isn't a vault") || strings.Contains(said, "not found"):
		f.Reason, f.Hint = NotFound, ""
	case strings.Contains(said, "Too many requests") || strings.Contains(said, "rate limit"):
		f.Reason, f.Hint = RateLimited, "try again later; op service-account ratelimit shows what is left"
	}
	return nil, f
}
