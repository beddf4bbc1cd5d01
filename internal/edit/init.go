package edit

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/kamal-op/kamal-op/internal/check"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// InitOptions say what a project is to begin with.
type InitOptions struct {
	Vault   string // "" is the service's name, as people write a vault's
	Item    string // with the app's secrets; "" is Production, or the destination's name
	KeyItem string // with the SSH key; "" is Server
	Account string // as in Addition
	Branch  string // whose pushes are deployed; "" is main
	Force   bool   // write over a workflow that is there
	CI      CI     // whose file is written; "" is GitHub

	// Review is config/deploy.review.yml, where review apps are wanted, which read
	// a vault of their own: "" for ReviewVault.
	Review      string
	ReviewVault string

	// HostKeys are lines of known_hosts, which the project file is to have.
	HostKeys []string

	// Ask asks a person for a name that neither an option nor the project's files say.
	// nil asks nobody.
	Ask func(Question) (string, error)

	known   string // the item that the project's files name
	guessed bool   // nothing says the vault
}

// A Question is for a name in 1Password.
type Question struct {
	What      Sort
	Vault     string // of the item, which is answered by then
	Otherwise string // what is taken where they agree
}

// A Sort is what a question is for.
type Sort string

// The sorts of questions.
const (
	AVault Sort = "vault"
	AnItem Sort = "item with the app's secrets"
	AKey   Sort = "item with the SSH key"
)

var errUnknown = errors.New("not known here")

// The workflow that init writes, and what review apps begin with.
const (
	workflowFile   = "deploy.yml"
	reviewName     = "review"
	reviewConfig   = "config/deploy.review.yml"
	reviewVault    = "Previews"
	reviewItem     = "Review"
	defaultItem    = "Production"
	defaultKeyItem = "Server"
)

// Init plans what a project needs to deploy with kamal-op: secrets files that
// take from 1Password what deploy.yml names, the workflow, and the list of fields
// to create. A secrets file that is there is completed, in its own way; a
// workflow that is there stays, unless it is to be written over, and where another
// deploys already none is added.
func Init(ctx context.Context, o check.Options, in InitOptions) (Plan, error) {
	e, err := openEditor(o, "init")
	if err != nil {
		return Plan{}, err
	}
	if err := e.readGiven(); err != nil {
		return Plan{}, err
	}
	e.knownItem(&in)
	if err := e.ask(&in); err != nil {
		return Plan{}, err
	}
	for _, name := range []string{in.Vault, in.Item, in.KeyItem, in.ReviewVault} {
		if _, ok := onepassword.ParseName(name); !ok && name != "" {
			return Plan{}, problem.Usagef("give vault and item by their names alone, or by their ids", "%q cannot be the name of a vault or an item here", name)
		}
	}
	var problems problem.List
	for _, d := range e.destinations {
		if d == reviewName && len(e.destinations) > 1 {
			continue // it has a vault of its own
		}
		problems = append(problems, problem.Of(e.initSecrets(d, in))...)
	}
	if err := problems.Err(); err != nil {
		return Plan{}, err
	}
	if in.Review != "" {
		if err := e.initReview(in); err != nil {
			return Plan{}, err
		}
	}
	key, write := e.keyFor(in)
	if err := e.initShared(in, write); err != nil {
		return Plan{}, err
	}
	e.remindFields()
	e.needKey(in, key)
	e.plan.todo(setToken(e.deployingCI(in.CI), e.usedVaults(in)...))
	if err := e.askVault(ctx); err != nil {
		return Plan{}, err
	}
	for _, f := range e.files {
		if pattern, at, hidden := check.IgnoredByGit(o.Dir, f.name); hidden && f.secrets != nil && (f.exists || f.now() != "") {
			e.plan.note("%s: %s hides %s from git, so CI does not have it: it holds no values, commit it", at, pattern, f.name)
		}
	}
	return e.finish()
}

// keyFor is the SSH key, and what of it a new workflow has: nothing where the project
// file names it.
func (e *editor) keyFor(in InitOptions) (key, write string) {
	key = "op://" + in.Vault + "/" + orElse(in.KeyItem, defaultKeyItem)
	known := e.keys()
	if in.KeyItem != "" || len(known) == 0 {
		return key, key
	}
	key = known[0].String()
	if e.fileNamesKey() {
		return key, ""
	}
	return key, key
}

// fileNamesKey tells whether the project file names an SSH key.
func (e *editor) fileNamesKey() bool {
	for _, g := range e.given {
		if slices.ContainsFunc(g.options.Keys, func(k check.Declared) bool { return k.Ref.Item != "" && k.Origin == check.KeyOrigin }) {
			return true
		}
	}
	return false
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// titleOf is a service's name as people write the name of a vault: my-app is
// MyApp.
func titleOf(service string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(service, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		letters := []rune(word)
		b.WriteString(string(unicode.ToUpper(letters[0])) + string(letters[1:]))
	}
	return orElse(b.String(), "MyApp")
}

// initSecrets defines every name that the configuration of a destination uses.
func (e *editor) initSecrets(d string, in InitOptions) error {
	item := in.itemFor(d)
	var missing []string
	for _, name := range e.usedNames(d) {
		if _, _, ok := e.lookup(d, name); !ok && !e.declares(d, name) {
			missing = append(missing, name)
		}
	}
	if len(e.projects[d].Config.Used()) == 0 {
		e.plan.note("%s names no secret: kamal-op add NAME adds one", e.configFile(d).name)
	}
	for _, at := range e.projects[d].Config.Unknown {
		e.plan.note("%s: ERB decides here: secrets that it names are not known, kamal-op check --erb asks Kamal", at)
	}
	if len(missing) == 0 {
		return nil
	}
	files := e.secretsFiles(d)
	if !slices.ContainsFunc(files, func(f *workFile) bool { return f.now() != "" || f.opaque }) {
		own := files[len(files)-1]
		return e.freshSecrets(own, in, in.Vault, item, missing)
	}
	ref := onepassword.Reference{}
	if at, err := e.formFor(d, ref); err != nil || at.kind == kamal.Literal || in.Item != "" {
		ref = onepassword.Reference{Vault: in.Vault, Item: item}
	}
	for _, name := range missing {
		if err := e.addToSecrets(d, Addition{Name: name, Account: in.Account}, ref); err != nil {
			return err
		}
	}
	return nil
}

// usedNames are the names that the configuration of a destination uses. What
// cannot be the name of a variable is noted and left out: it would be written
// into a line that Kamal gives to a shell.
func (e *editor) usedNames(d string) []string {
	var names []string
	used := e.projects[d].Config.Used()
	for _, f := range []*workFile{e.configFile(d), e.destinationFile(d)} {
		if f == nil {
			continue
		}
		for _, u := range f.config.PossibleUses() { // between lines of ERB: a line too many does no harm
			if !slices.Contains(used, u.Name) && onepassword.IsEnvironmentName(u.Name) && f.config.Between(u.Place) {
				used = append(used, u.Name)
			}
		}
	}
	for _, name := range used {
		if err := e.writableName(d, name); err != nil {
			e.plan.note("%s", err.Error())
			continue
		}
		names = append(names, name)
	}
	return names
}

// writableName is a problem where a name cannot be written into a secrets file.
func (e *editor) writableName(d, name string) error {
	if onepassword.IsEnvironmentName(name) {
		return nil
	}
	p := problem.Newf("%q cannot be the name of a secret, and is not written into a secrets file", name)
	p.Hint = "a name has letters, digits and _, and does not begin with a digit"
	for _, u := range e.projects[d].Config.Uses {
		if u.Name == name {
			p.Place = u.Place
			break
		}
	}
	return p
}

// freshSecrets writes a secrets file: one fetch, and an extract for each name.
func (e *editor) freshSecrets(f *workFile, in InitOptions, vault, item string, names []string) error {
	from, ok := kamal.QuoteWord(vault + "/" + item)
	if !ok {
		return problem.Usagef("name vault and item by their ids", "op://%s/%s cannot be written into %s", vault, item, f.name)
	}
	variable := "SECRETS"
	for slices.Contains(names, variable) {
		variable = "KAMAL_" + variable
	}
	account, known := e.knownAccount(f)
	if in.Account != "" || !known {
		if account, ok = kamal.QuoteWord(orElse(in.Account, defaultAccount)); !ok {
			return accountProblem(in.Account, f.name)
		}
	}
	text := variable + "=$(kamal secrets fetch --adapter 1password --account " + account + " --from " + from + " " + strings.Join(names, " ") + ")\n"
	for _, name := range names {
		text += name + "=$(kamal secrets extract " + name + " $" + variable + ")\n"
		e.needField(vault, item, name)
	}
	f.secrets = kamal.EditSecrets(f.name, text, nil)
	if in.Account == "" && !known {
		e.plan.todo(Todo{Do: "set-account", Text: "where people use their own op CLI: put your account's address in place of --account " + defaultAccount + " in " + f.name})
	}
	return nil
}

// initReview writes what review apps begin with.
func (e *editor) initReview(in InitOptions) error {
	config, err := e.tree.read(reviewConfig)
	if err != nil {
		return err
	}
	if config.exists {
		e.plan.note("%s is there already and stays", reviewConfig)
	} else {
		config.text = in.Review
	}
	base := e.destinations[0]
	project := e.projects[base]
	secrets := e.file(project.Config.SecretsPath.Or(kamal.DefaultSecretsPath) + "." + reviewName)
	if secrets == nil {
		if secrets, err = e.tree.read(project.Config.SecretsPath.Or(kamal.DefaultSecretsPath) + "." + reviewName); err != nil {
			return err
		}
		e.files = append(e.files, secrets)
	}
	vault := orElse(in.ReviewVault, reviewVault)
	switch used := e.usedNames(base); {
	case secrets.exists:
		e.plan.note("%s is there already and stays", secrets.name)
	case len(used) > 0:
		if err := e.freshSecrets(secrets, in, vault, reviewItem, used); err != nil {
			return err
		}
	}
	e.files = append(e.files, config)
	e.plan.todo(Todo{Do: "set-token", Text: "set the repository's secret REVIEW_OP_SERVICE_ACCOUNT_TOKEN: a service account of the previews' own, that may read the vault " + vault + " and nothing else"})
	e.plan.todo(Todo{Do: "add-workflow", Text: "add the workflow of review apps: docs/review-apps.md has it"})
	return nil
}
