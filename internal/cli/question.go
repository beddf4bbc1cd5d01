package cli

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/edit"
	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// question asks whoever sits at the terminal, nil where nobody does. Where ctx ends, so
// does the wait for an answer.
func (a *app) question(ctx context.Context) func(text string) (string, error) {
	if a.inCI() || !isTerminal(a.Stdin) || !a.Stderr.IsTerminal() {
		return nil
	}
	if a.answers == nil {
		a.answers = bufio.NewReader(a.Stdin)
	}
	return func(text string) (string, error) {
		a.system.Status("")
		if _, err := fmt.Fprint(a.Stderr, a.folder(a.Stderr)(text)); err != nil {
			return "", err
		}
		type answer struct {
			text string
			err  error
		}
		given := make(chan answer, 1)
		go func() {
			text, err := a.answers.ReadString('\n')
			given <- answer{text, err}
		}()
		select {
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case said := <-given:
			return strings.TrimSpace(said.text), said.err
		}
	}
}

// A catalog is what there is to choose from in 1Password, as the credentials see it, or the
// person's own op: asked for when a question is put, and not again once that has failed.
type catalog struct {
	*app
	flags    credentialFlags
	off      bool // nothing is asked
	resolver *onepassword.Resolver
	backend  onepassword.Backend
}

// shownChoices is how many names are listed.
const shownChoices = 30

// ask puts a question, below the names that there are. Another may be answered, too: what
// is not there yet is to be created.
func (c *catalog) ask(ctx context.Context, ask func(string) (string, error), q edit.Question) (string, error) {
	names := c.names(ctx, q)
	if ended := context.Cause(ctx); ended != nil {
		return "", ended
	}
	text := ""
	if len(names) > 0 {
		q.Otherwise = nearestChoice(q, names)
		listed := strings.Join(names[:min(len(names), shownChoices)], ", ")
		if more := len(names) - shownChoices; more > 0 {
			listed += fmt.Sprintf(" and %d more", more)
		}
		text = gate.Visible("there: "+listed) + "\n"
	}
	answer, err := ask(fmt.Sprintf("%s%s in 1Password [%s]: ", text, q.What, gate.Visible(q.Otherwise)))
	if ended := context.Cause(ctx); ended != nil {
		return "", ended
	}
	if err != nil {
		return "", problem.Usagef("give the names as --vault, --item and --key-item", "the questions have no answer: %v", err)
	}
	return cmp.Or(answer, q.Otherwise), nil
}

// names are those that a question may be answered with, none where nobody can say.
func (c *catalog) names(ctx context.Context, q edit.Question) (names []string) {
	if c.off || !c.open() {
		return nil
	}
	if q.What == edit.AVault {
		vaults, err := c.resolver.Vaults(ctx)
		c.failed(ctx, err)
		for _, v := range vaults {
			names = append(names, choice(v.Name, v.ID))
		}
		return ordered(names)
	}
	items, err := c.resolver.Items(ctx, q.Vault)
	c.failed(ctx, err)
	for _, i := range items {
		isKey := slices.Contains([]string{"SSH_KEY", "SERVER"}, i.Category)
		if !i.Archived && isKey == (q.What == edit.AKey) {
			names = append(names, choice(i.Title, i.ID))
		}
	}
	return ordered(names)
}

// choice is what names a vault or an item in a reference: its id, where its name cannot.
func choice(name, id string) string {
	if read, ok := onepassword.ParseName(name); !ok || read != name {
		return id
	}
	return name
}

func ordered(names []string) []string {
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(strings.Compare(strings.ToLower(a), strings.ToLower(b)), strings.Compare(a, b))
	})
	return slices.Compact(names)
}

// open makes the resolver. What is asked through the person's op may have them asked for
// leave.
func (c *catalog) open() bool {
	if c.resolver != nil {
		return true
	}
	vault, ok, err := c.vault(c.flags)
	if err == nil && ok {
		c.backend, err = vault.OpenPrepared()
	}
	switch {
	case err != nil:
		c.failed(context.Background(), err)
		return false
	case !ok:
		c.off = true
		c.system.Notice(problem.New("op is not on the PATH: the vaults and items that you see cannot be listed",
			"install 1Password's CLI and sign in, or give the names that its app shows"))
		return false
	}
	if vault.Op == "" {
		c.system.Status("asking 1Password")
	} else {
		c.system.Info("asking op what you have in 1Password: it may ask you for leave")
	}
	c.resolver = onepassword.NewResolver(c.backend, onepassword.Options{})
	return true
}

// failed tells once why nothing is listed.
func (c *catalog) failed(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	p := problem.Of(err)[0]
	hint := "give the names that 1Password's app shows"
	switch {
	case strings.HasSuffix(p.Hint, "?"):
		hint = p.Hint + " Or " + hint
	case p.Hint != "":
		hint = p.Hint + ", or " + hint
	}
	c.system.Notice(problem.New(p.Message, hint))
	c.off = true
}

func (c *catalog) close() {
	if c.backend != nil {
		_ = c.backend.Close() // it was only read from
	}
}

// nearestChoice is the one of the names that is meant by the guess of a question: the same,
// one that is like it, or the only vault or key there is. An item that is there may be
// anything's, and not the app's.
func nearestChoice(q edit.Question, names []string) string {
	for _, name := range names {
		if strings.EqualFold(name, q.Otherwise) {
			return name
		}
	}
	if len(names) == 1 && q.What != edit.AnItem {
		return names[0]
	}
	return cmp.Or(check.Nearest(q.Otherwise, names), q.Otherwise)
}
