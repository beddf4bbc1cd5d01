package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/reference"
)

// completionCommand is `kamal-op completion SHELL`.
type completionCommand struct {
	Shell string `arg:"" name:"shell" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints the script. What it completes is asked of this program each time.
func (c completionCommand) Run(a *app) error {
	_, err := fmt.Fprint(a.Stdout, reference.CompletionScript(c.Shell))
	return err
}

// manCommand is `kamal-op man`.
type manCommand struct{}

// Run prints the page.
func (manCommand) Run(a *app) error {
	_, err := fmt.Fprint(a.Stdout, reference.Man(Grammar(), exitStatuses))
	return err
}

// completeCommand is `kamal-op complete SHELL -- WORDS`, which the scripts call.
type completeCommand struct {
	Shell string `arg:"" name:"shell" enum:"bash,zsh,fish" help:"The shell that asks."`
}

// Run lists what the last of the words can become, one a line. Nothing of a project is
// run and no vault is asked: a Tab is no reason to.
func (c completeCommand) Run(a *app) error {
	if len(a.rest) == 0 {
		return problem.Usagef("the scripts of kamal-op completion call it", "there are no words to complete")
	}
	words := a.rest
	if c.Shell == "bash" {
		words = reference.Rejoined(words)
	}
	p := projectNames{a: a, words: words}
	var b strings.Builder
	for _, s := range reference.Complete(Grammar(), words, p.names) {
		if c.Shell == "bash" {
			s.Text = reference.BashPart(a.rest, s.Text)
		}
		b.WriteString(s.Line(c.Shell) + "\n")
	}
	_, err := fmt.Fprint(a.Stdout, b.String())
	return err
}

// projectNames are the names in the project of a command line that is being written.
// A project that cannot be read has none.
type projectNames struct {
	a     *app
	words []string
}

// names are the names of a kind that can stand on a command line as they are. Bash puts
// a word there without quotes, and runs what is in it at the next Enter: a file of the
// project's may be called config/deploy.$(…).yml.
func (p projectNames) names(kind string) []string {
	plain := regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./@:%+=,-]*$`)
	return slices.DeleteFunc(p.all(kind), func(name string) bool { return !plain.MatchString(name) })
}

// all are the names of a kind: destination, service, host, role, secret, accessory.
func (p projectNames) all(kind string) (names []string) {
	dir, err := p.a.directory("--working-directory", p.value("--working-directory", ""))
	if err != nil {
		return nil
	}
	o := kamal.ProjectOptions{Dir: dir, ConfigFile: p.value("--config-file", "-c"), Destination: p.value("--destination", "-d")}
	if kind == "destination" {
		return kamal.Destinations(dir, o.ConfigFile)
	}
	if kind == "service" {
		for _, s := range kamal.Services(dir) {
			names = append(names, s.Name)
		}
		return names
	}
	config, err := kamal.ReadConfig(o)
	if err != nil {
		o.Destination = ""
		if config, err = kamal.ReadConfig(o); err != nil {
			return nil
		}
	}
	switch kind {
	case "host":
		for _, h := range config.Hosts {
			names = append(names, h.Name)
		}
	case "role":
		names = config.Roles
	case "accessory":
		names = config.Accessories
	case "secret":
		names = config.Used()
		if secrets, err := kamal.ReadSecrets(o, config.SecretsPath.Or(kamal.DefaultSecretsPath)); err == nil {
			for _, file := range secrets.Files {
				for _, d := range file.Definitions {
					names = append(names, d.Name)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// value is the value of an option that stands among the words.
func (p projectNames) value(long, short string) string {
	for i, word := range p.words[:len(p.words)-1] {
		if value, ok := strings.CutPrefix(word, long+"="); ok {
			return value
		}
		if (word == long || short != "" && word == short) && i+1 < len(p.words)-1 {
			return p.words[i+1]
		}
	}
	return ""
}
