package broker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/mask"
)

// A checkRequest is what Kamal has after it has read its secrets files, before it goes
// on.
type checkRequest struct {
	Dir     string   `json:"dir"`
	Files   []string `json:"files"`   // secrets files that exist, in Kamal's order
	Command string   `json:"command"` // such as deploy or app boot

	Used     []secretUse     `json:"used"`
	Secrets  []heldSecret    `json:"secrets"`
	Also     [][]byte        `json:"also"`     // further values to mask: of a fetch, fields that nothing extracts
	Hooks    []string        `json:"hooks"`    // that this command will run with every secret in their environment
	Literals []configLiteral `json:"literals"` // values of the configuration itself that look like references
	Output   []string        `json:"output"`   // keys of deploy.yml's output that copy what hooks print
}

// A secretUse is a place of the configuration, as Kamal resolved it, that names a
// secret.
type secretUse struct {
	Name string `json:"name"`
	Key  string `json:"key"`
	As   string `json:"as"` // the name that the container knows it by; "" is Name
}

// A heldSecret is one secret as Kamal has it, and what went wrong with it.
type heldSecret struct {
	Name     string         `json:"name"`
	Value    []byte         `json:"value"`
	Supplied bool           `json:"supplied"` // by the preload: no secrets file defines it
	Failed   []failureCause `json:"failed"`
}

// A failureCause is one thing that went wrong when a value was composed.
type failureCause struct {
	How    string `json:"how"`    // exit, missing, error, usage, unset, depends
	Detail string `json:"detail"` // the status, the command's name, the message, the variable
}

type checkReply struct {
	Stop string `json:"stop,omitempty"`
}

// check masks what Kamal has and compares it with the vault. Kamal waits for the answer.
func (b *Broker) check(ctx context.Context, c *checkRequest) *checkReply {
	var values []mask.Secret
	for _, h := range c.Secrets {
		values = append(values, mask.NewSecret(h.Name, string(h.Value)))
	}
	for _, value := range c.Also {
		values = append(values, mask.NewSecret("", string(value)))
	}
	if err := b.mask(values...); err != nil {
		return &checkReply{Stop: b.stopFor(problem.Of(err))}
	}
	j := b.evaluate(ctx, c)
	var problems problem.List
	if !b.o.AllowOutputCopies {
		for _, key := range c.Output {
			problems = append(problems, kamal.CopyProblem(key))
		}
	}
	for _, h := range c.Secrets {
		p := j.checkSecret(h)
		switch {
		case p == nil:
		case j.isRelevant(h.Name), j.checkHook(h) != nil:
			problems = append(problems, p)
		default:
			b.notifyOnce(Event{Kind: Warning, Message: p.Error() + " (nothing in the configuration uses it)", Hint: p.Hint})
		}
	}
	problems = append(problems, j.checkTotalSize()...)
	problems = append(problems, j.unread...)
	problems = append(problems, j.literals()...)
	problems = append(problems, j.undefined()...)
	if len(problems) > 0 {
		return &checkReply{Stop: b.stopFor(problems)}
	}
	j.noticeEscapes()
	b.notify(Event{Kind: Checked, Message: fmt.Sprintf("%d secrets hold what they should", len(c.Secrets))})
	return &checkReply{}
}

// An evaluation compares what the secrets files have given with what they should give.
type evaluation struct {
	b     *Broker
	ctx   context.Context
	c     *checkRequest
	files *kamal.Secrets
	held  map[string]heldSecret
	roots map[string]bool // names whose failure is reported in place of others'

	unread problem.List // the files that could not be read

	fetches map[problem.Place][]fetchedField // what each fetch gives
}

func (b *Broker) evaluate(ctx context.Context, c *checkRequest) *evaluation {
	j := &evaluation{b: b, ctx: ctx, c: c, held: map[string]heldSecret{}, files: &kamal.Secrets{}, roots: map[string]bool{}, fetches: map[problem.Place][]fetchedField{}}
	var env []string
	if b.o.Project != nil {
		env = b.o.Project.Env
	}
	// The files as they are now: a hook may have written one, and a nested Kamal
	// may be of another destination.
	for _, name := range c.Files {
		file, err := kamal.ReadSecretsFile(c.Dir, name, env)
		switch {
		case err == nil:
			j.files.Files = append(j.files.Files, file)
		case b.o.Vault != nil:
			p := problem.Newf("%s cannot be read: what Kamal took from it cannot be held against 1Password", name).About(problem.UnreadableFile)
			p.Details = []string{problem.Of(err)[0].Error()}
			p.Hint = "it has to stay as it is, and readable to whoever deploys, until Kamal has ended"
			j.unread = append(j.unread, p)
		}
	}
	for _, h := range c.Secrets {
		j.held[h.Name] = h
	}
	for _, u := range c.Used {
		j.markRoots(u.Name)
	}
	return j
}

// markRoots records why a name that the configuration uses has failed, however far away
// the cause is.
func (j *evaluation) markRoots(name string) {
	for _, t := range j.held[name].Failed {
		if t.How == "depends" && !j.roots[t.Detail] {
			j.roots[t.Detail] = true
			j.markRoots(t.Detail)
		}
	}
}

func (j *evaluation) uses(name string) bool {
	return slices.ContainsFunc(j.c.Used, func(u secretUse) bool { return u.Name == name })
}

// isRelevant reports whether a problem of the name is one of the run: the configuration
// uses it, or uses something that depends on it.
func (j *evaluation) isRelevant(name string) bool { return j.uses(name) || j.roots[name] }

// checkSecret is the problem of one secret, or nil.
func (j *evaluation) checkSecret(h heldSecret) *problem.Problem {
	d, defined := j.files.Lookup(h.Name)
	at := func(p *problem.Problem) *problem.Problem {
		if p != nil && p.Place.File == "" && defined {
			p.Place = d.Place
		}
		return p
	}
	for _, t := range h.Failed {
		if t.How == "depends" {
			// The other is reported, once, with the names that depend on it.
			if _, told := j.held[t.Detail]; told && len(j.held[t.Detail].Failed) > 0 {
				return nil
			}
		}
	}
	if len(h.Failed) > 0 {
		return at(j.failedProblem(h, d))
	}
	value := string(h.Value)
	if strings.ContainsRune(value, 0) {
		p := problem.Newf("%s has a NUL byte, which no environment variable can hold", h.Name).About(problem.AsItIs)
		p.Hint = "store it as base64 and have the app decode it"
		return at(p)
	}
	if defined && !h.Supplied {
		if p := j.compareWithVault(h.Name, value, d); p != nil {
			return at(p)
		}
	}
	if p := j.unresolved(h.Name, value, d); p != nil {
		return at(p)
	}
	if value == "" && !slices.Contains(j.b.o.AllowEmpty, h.Name) {
		return at(j.emptyProblem(h.Name, d))
	}
	return at(j.checkReceivers(h))
}

// failedProblem says what went wrong when the value was composed.
func (j *evaluation) failedProblem(h heldSecret, d kamal.Definition) *problem.Problem {
	t := h.Failed[0]
	p := problem.New("", "")
	switch t.How {
	case "missing":
		p.Message = h.Name + ": its command is not found"
		if t.Detail != "" { // as the file names it, not what a value has made of it
			p.Message += ": " + t.Detail
		}
		p.Hint = "correct its name, or install it where the deploy runs"
	case "unset":
		p.Message = fmt.Sprintf("%s: $%s is not set", h.Name, t.Detail)
		p.Hint = fmt.Sprintf("declare it, as in --secret %s=op://vault/item/%s, or define it above in the same file: each secrets file is read by itself", t.Detail, t.Detail)
	case "usage":
		p.Message = h.Name + ": its command is not used as it should be"
		if t.Detail != "" {
			p.Message += ": $" + t.Detail + " is not set"
			p.Hint = "define " + t.Detail + " above in the same file: each secrets file is read by itself"
		}
	case "depends":
		p.Message = fmt.Sprintf("%s: $%s did not arrive", h.Name, t.Detail)
	case "error":
		p.Message = fmt.Sprintf("%s: %s", h.Name, t.Detail)
	default:
		p.Message = fmt.Sprintf("%s: its command failed, %s", h.Name, t.Detail)
		p.Hint = "run what stands in its $(…) by itself to see why"
		if file := j.missingFile(d); file != "" {
			p.Message = fmt.Sprintf("%s: %s is not there", h.Name, file)
			p.Hint = "a file that git ignores is not in CI: put its text into 1Password, and write $(op read op://vault/item/field) here"
		}
	}
	if d.Kind == kamal.Fetch && t.How == "error" {
		p.Message = fmt.Sprintf("%s: the secrets could not be fetched: %s", h.Name, t.Detail)
	}
	for _, lookup := range j.lookups(h.Name) {
		p.Details = append(p.Details, lookup.Message)
		p.Details = append(p.Details, lookup.Details...)
		if lookup.Hint != "" {
			p.Hint = lookup.Hint
		}
		p.Status = lookup.Status
		p.Help = cmp.Or(p.Help, lookup.Help)
	}
	p.Help = cmp.Or(p.Help, problem.CommandFailed)
	var others []string
	for _, other := range j.c.Secrets {
		if slices.ContainsFunc(other.Failed, func(t failureCause) bool { return t.How == "depends" && t.Detail == h.Name }) {
			others = append(others, other.Name)
		}
	}
	if len(others) > 0 {
		p.Details = append(p.Details, "with it are missing: "+strings.Join(others, ", "))
	}
	return p
}

// lookups are the failed lookups that were made for a secret.
func (j *evaluation) lookups(name string) problem.List {
	j.b.mu.Lock()
	defer j.b.mu.Unlock()
	var list problem.List
	for _, f := range j.b.failures {
		if f.secret == name && !slices.ContainsFunc(list, func(p *problem.Problem) bool { return p.Message == f.problem.Message }) {
			list = append(list, f.problem)
		}
	}
	return list
}

func (j *evaluation) emptyProblem(name string, d kamal.Definition) *problem.Problem {
	p := problem.Newf("%s is empty", name).About(problem.EmptySecret)
	p.Hint = "allow it with --allow-empty " + name
	switch d.Kind {
	case kamal.Extract, kamal.Read:
		p.Hint = "fill the field in 1Password, or allow it with --allow-empty " + name
	case kamal.Command:
		p.Message += ": its command prints nothing"
	case kamal.PassThrough:
		p.Message += ": so is $" + d.Parts[0].Name
	case kamal.Literal:
		p.Message += " in the secrets file"
		p.Hint = "give it a value, or allow it with --allow-empty " + name
	}
	return p
}

// needAllSecrets are the commands that read every secret of env and the registry's: an
// undefined name would end them, on the servers if not before.
var needAllSecrets = []string{"deploy", "redeploy", "setup", "app boot"}

// undefined are the problems of secrets that such a command reads and nothing defines.
func (j *evaluation) undefined() problem.List {
	if !slices.Contains(needAllSecrets, j.c.Command) {
		return nil
	}
	var problems problem.List
	told := map[string]bool{}
	for _, u := range j.c.Used {
		if _, ok := j.held[u.Name]; ok || told[u.Name] || u.Key != "env.secret" && !strings.HasPrefix(u.Key, "registry.") {
			continue
		}
		told[u.Name] = true
		p := problem.Newf("%s is named in %s of deploy.yml but nothing defines it", u.Name, u.Key).About(problem.SecretMissing)
		p.Hint = fmt.Sprintf("declare it, as in --secret %s=op://vault/item/%s, or define it in .kamal/secrets", u.Name, u.Name)
		if at := j.b.placeOf(u.Name); at.File != "" {
			p.Message = fmt.Sprintf("%s is named in %s but nothing defines it", u.Name, at.File)
			p.Place = at
		}
		problems = append(problems, p)
	}
	return problems
}

// placeOf is where deploy.yml names a secret.
func (b *Broker) placeOf(name string) problem.Place {
	if b.o.Project == nil || b.o.Project.Config == nil {
		return problem.Place{}
	}
	for _, u := range b.o.Project.Config.Uses {
		if u.Name == name {
			return u.Place
		}
	}
	return problem.Place{}
}

// noticeEscapes names, once, the secrets that Kamal's env file will change, and the names
// of --exact-values that are none of env.
func (j *evaluation) noticeEscapes() {
	names := map[string]bool{}
	for _, u := range j.c.Used {
		if !isSecretOfEnv(u.Key) || names[u.Name] {
			continue
		}
		names[u.Name] = true
		value := string(j.held[u.Name].Value)
		if j.b.o.ExactValues.Of(u.Name) || kamal.EnvFileValue(value) == value {
			continue
		}
		e := Event{
			Kind:    Notice,
			Message: u.Name + " has line breaks, tabs, control characters or backslashes, which Kamal's env file escapes: the container gets \\n for a line break, \\\\ for a backslash",
			Hint:    "if the app does not undo that, --exact-values hands it over as it is; or keep it base64-encoded in 1Password and have the app decode it",
		}
		if strings.Contains(value, "\n") {
			e.Message += ". Kamal's next major version is to refuse line breaks"
		}
		j.b.notifyOnce(e)
	}
	for _, name := range j.b.o.ExactValues.Names {
		if len(j.c.Used) > 0 && !names[name] {
			j.b.notifyOnce(Event{
				Kind:    Warning,
				Message: "--exact-values names " + name + ", which no list of secrets in deploy.yml has",
				Hint:    "an alias ALIAS:NAME goes by the secret's name, NAME",
			})
		}
	}
}
