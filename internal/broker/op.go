package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/broker/opclient"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// opVersion is what `op --version` says: the CLI whose commands these are, and that
// kamal-op answers. Programs that look for a least version find one.
const opVersion = "2.34.0+kamal-op"

const supported = "supported are: --version, account get, account list, signin, whoami, " +
	"item get ITEM --vault VAULT, item list, vault list, read REFERENCE, inject, run -- COMMAND, environment read ID"

// A failure is a lookup that failed. Kamal ignores a failing `$(op read …)`: the
// run remembers it.
type failure struct {
	secret  string // of .kamal/secrets, where it is known what it was for
	problem *problem.Problem
}

// An unsupportedError is a command, or a flag of one, that is unknown here.
type unsupportedError struct{ what string }

func (e *unsupportedError) Error() string { return e.what + "; " + supported }

// op answers one `op` command.
func (b *Broker) op(ctx context.Context, r *opclient.Request) *opclient.Reply {
	line, err := parseFlags(r.Args)
	var reply *opclient.Reply
	if err == nil {
		reply, err = b.command(ctx, line, r)
	} else {
		err = &unsupportedError{err.Error()}
	}
	if err == nil {
		if what := line.subject(); what != "" {
			b.notify(Event{Kind: Lookup, Message: what, Process: caller(ctx)})
		}
		return reply
	}
	if errors.As(err, new(*unsupportedError)) && b.o.RealOp != "" {
		return &opclient.Reply{Exec: append([]string{b.o.RealOp}, r.Args...)}
	}
	told := problem.Of(err)[0]
	b.mu.Lock()
	b.failures = append(b.failures, failure{secret: r.Secret, problem: told})
	b.mu.Unlock()
	command := "op " + strings.Join(line.words, " ")
	b.notify(Event{Kind: Failed, Message: command + ": " + told.Message, Hint: told.Hint, Of: command, Process: caller(ctx)})
	return &opclient.Reply{Stderr: b.stderr(told), Status: 1}
}

// subject is what was looked up, for the event; "" for commands that ask nothing.
func (c commandLine) subject() string {
	switch {
	case len(c.words) < 2 && c.command() != "inject" && c.command() != "run", c.words[0] == "account":
		return ""
	}
	text := "op " + strings.Join(c.words, " ")
	if v := c.flags["vault"]; v != "" {
		text += " --vault " + v
	}
	if f := c.flags["fields"]; f != "" {
		text += " --fields " + f
	}
	return text
}

func (c commandLine) command() string {
	if len(c.words) == 0 {
		return ""
	}
	return c.words[0]
}

// stderr is a problem as the op CLI prints it, the hint in a line of its own.
func (b *Broker) stderr(p *problem.Problem) string {
	stamp := "[ERROR] " + b.o.Now().Format("2006/01/02 15:04:05") + " "
	lines := []string{p.Message}
	for _, detail := range p.Details {
		lines = append(lines, "  "+detail)
	}
	if p.Hint != "" {
		lines = append(lines, "hint: "+p.Hint)
	}
	if p.Help != "" {
		lines = append(lines, "help: "+p.Help.URL())
	}
	return stamp + strings.Join(lines, "\n"+stamp) + "\n"
}

func (b *Broker) command(ctx context.Context, c commandLine, r *opclient.Request) (*opclient.Reply, error) {
	if c.flags["version"] != "" && len(c.words) == 0 {
		return textReply(opVersion + "\n"), nil
	}
	var name string
	for _, known := range []string{"account get", "account list", "signin", "whoami", "item get", "item list", "vault list", "read", "inject", "run", "environment read"} {
		words := strings.Fields(known)
		if len(c.words) >= len(words) && strings.Join(c.words[:len(words)], " ") == known {
			name = known
			c.words = c.words[len(words):]
			break
		}
	}
	takes := map[string][]string{
		"account get": {}, "account list": {"all"}, "signin": {"raw", "force"}, "whoami": {},
		"item get": {"vault", "fields", "reveal", "otp"}, "item list": {"vault", "categories", "tags", "long"}, "vault list": {},
		"read": {"no-newline", "force"}, "inject": {"force"}, "run": {"no-masking"}, "environment read": {},
	}
	flags, known := takes[name]
	if !known {
		return nil, &unsupportedError{quoteCommand(c.words) + " is not supported by kamal-op"}
	}
	if err := c.checkFlags(flags...); err != nil {
		return nil, &unsupportedError{"op " + name + ": " + err.Error()}
	}
	switch name {
	case "account get", "account list", "whoami":
		return account(c, name)
	case "signin":
		return textReply(""), nil
	}
	if b.o.Vault == nil {
		return nil, problem.New("this run has no access to 1Password", "give OP_SERVICE_ACCOUNT_TOKEN, or OP_CONNECT_HOST and OP_CONNECT_TOKEN; or write NAME=$NAME in the secrets file, and declare what an earlier step has loaded: NAME=env://VARIABLE").About(problem.NoCredentials)
	}
	switch name {
	case "item get":
		return b.itemGet(ctx, c)
	case "item list":
		return b.itemList(ctx, c)
	case "vault list":
		return b.vaultList(ctx, c)
	case "read":
		return b.read(ctx, c)
	case "inject":
		return b.inject(ctx, string(r.Stdin), r.Env)
	case "run":
		return b.run(ctx, c, r.Env)
	}
	return b.environmentRead(ctx, c)
}

func quoteCommand(words []string) string {
	if len(words) == 0 {
		return "op without a command"
	}
	return fmt.Sprintf("`op %s`", strings.Join(words[:min(2, len(words))], " "))
}

// textReply is a reply that prints text.
func textReply(text string) *opclient.Reply { return &opclient.Reply{Stdout: []byte(text)} }

// jsonReply prints as the op CLI does: indented, <, > and & as they are.
func jsonReply(v any) (*opclient.Reply, error) {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return textReply(text.String()), nil
}

// account answers who is signed in: the run is, whatever account is named.
func account(c commandLine, command string) (*opclient.Reply, error) {
	name := c.flags["account"]
	if name == "" {
		name = "kamal-op"
	}
	if c.flags["format"] != "json" {
		switch command {
		case "account list":
			return textReply(fmt.Sprintf("URL    EMAIL    USER ID\n%s    -    -\n", name)), nil
		case "whoami":
			return textReply(fmt.Sprintf("URL:          %s\nUser Type:    SERVICE_ACCOUNT\n", name)), nil
		}
		return textReply(fmt.Sprintf("Name:    %s\n", name)), nil
	}
	one := map[string]string{"url": name, "name": name, "user_type": "SERVICE_ACCOUNT", "state": "ACTIVE"}
	if command == "account list" {
		return jsonReply([]any{one})
	}
	return jsonReply(one)
}

// mask registers values before they leave on the socket.
func (b *Broker) mask(secrets ...mask.Secret) error {
	var kept []mask.Secret
	for _, s := range secrets {
		if s.Len() > 0 && !b.isPublic(s.Reveal()) {
			kept = append(kept, s)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return b.o.Mask(kept)
}

// isPublic reports whether a value was declared to be no secret.
func (b *Broker) isPublic(value string) bool {
	for _, d := range b.o.Declared {
		if d.Public && d.Secret.Reveal() == value {
			return true
		}
	}
	return false
}

// lookup reads one reference that a command names, in the scope of the run.
func (b *Broker) lookup(ctx context.Context, text string) (mask.Secret, error) {
	ref, err := onepassword.ParseReference(text)
	if err != nil {
		return mask.Secret{}, err
	}
	if p := b.scope.allows(ctx, b.o.Vault, ref.Vault); p != nil {
		return mask.Secret{}, p
	}
	value, err := b.o.Vault.Read(ctx, ref)
	if err != nil {
		return mask.Secret{}, err
	}
	return value, b.mask(value)
}

func (b *Broker) read(ctx context.Context, c commandLine) (*opclient.Reply, error) {
	if len(c.words) != 1 {
		return nil, problem.Usagef("op read op://vault/item/field", "op read takes one secret reference")
	}
	value, err := b.lookup(ctx, c.words[0])
	if err != nil {
		return nil, err
	}
	text := value.Reveal()
	if c.flags["no-newline"] == "" {
		text += "\n"
	}
	return textReply(text), nil
}

func (b *Broker) environmentRead(ctx context.Context, c commandLine) (*opclient.Reply, error) {
	if len(c.words) != 1 {
		return nil, problem.Usagef("op environment read ID", "op environment read takes the id of one Environment")
	}
	if !b.o.AnyVault && !slices.Contains(b.o.Environments, c.words[0]) {
		return nil, problem.New("that Environment is not one of this run's",
			"only those that --environment names are served: name it there, or allow every one with --op-scope any").About(problem.OtherVault)
	}
	variables, err := b.o.Vault.Environment(ctx, c.words[0])
	if err != nil {
		return nil, err
	}
	var text strings.Builder
	for _, v := range variables {
		if v.Masked {
			if err := b.mask(v.Value); err != nil {
				return nil, err
			}
		}
		text.WriteString(v.Value.Name() + "=" + v.Value.Reveal() + "\n")
	}
	return textReply(text.String()), nil
}
