package edit

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
)

// initWorkflow writes the workflow with the one step, where GitHub reads it.
func (e *editor) initWorkflow(in InitOptions, key string) error {
	begun, err := e.beginning(in)
	if err != nil || begun.stays(e, in) {
		return err
	}
	f := begun.file
	missing := programsMissing(e.o.Dir)
	for _, program := range sortedKeys(missing) {
		e.plan.todo(Todo{Do: "bring-program", Text: missing[program] + " calls " + program +
			", which the action's image has not: take what it gives from 1Password, or deploy in a job that has it"})
	}
	destination := e.firstDestination()
	if destination != "" && len(e.destinations) > 1 {
		e.plan.note("%s deploys the destination %s: others need a job of their own", begun.name, destination)
	}
	// Deploys of one project wait for each other, and for no other project's.
	group := strings.TrimSuffix("deploy-"+destination, "-")
	if within := e.tree.within(); within != "" {
		group += "-" + strings.ReplaceAll(within, "/", "-")
	}
	f.text = in.CI.text(deployJob{
		branch: orElse(in.Branch, "main"), group: group, key: key, destination: destination,
		config: e.otherConfig(), within: e.tree.within(), secrets: e.toDeclare(in, destination),
	}, e.inputs())
	e.plan.Todo = slices.DeleteFunc(e.plan.Todo, func(t Todo) bool { return t.Do == "declare" })
	if !slices.Contains(e.files, f) {
		e.files = append(e.files, f)
	}
	return nil
}

// A beginning is the file that init would write, and what deploys already.
type beginning struct {
	name    string
	file    *workFile
	already string // the file that deploys, "" for none
	ours    bool   // by kamal-op
}

// beginning finds the file: another one where another project of the repository has the
// usual one.
func (e *editor) beginning(in InitOptions) (b beginning, err error) {
	b.already, b.ours = e.tree.deploysAlready(e.o.ConfigFile)
	b.name = e.tree.prefix() + in.CI.file()
	if b.file, err = e.workflow(b.name); err != nil {
		return b, err
	}
	if within := e.tree.within(); within != "" && b.file.exists && b.already != b.name && in.CI.manyFiles() {
		b.name = e.tree.prefix() + path.Join(workflowDir, "deploy-"+strings.ReplaceAll(within, "/", "-")+".yml")
		b.file, err = e.workflow(b.name)
	}
	return b, err
}

// stays tells whether the file is not to be written, and notes why.
func (b beginning) stays(e *editor, in InitOptions) bool {
	switch {
	case b.already != "" && b.already != b.name:
		e.plan.note("%s", b.elsewhere(e, in))
		return true
	case b.file.exists && !in.CI.manyFiles():
		if b.already == "" || in.Force {
			e.plan.note("%s is there already and stays: it is the only one of its kind, and %s has the job to add", b.name, in.CI.page())
		}
		return true
	case b.file.exists && !in.Force:
		if !strings.Contains(b.file.text, oneStep) {
			next := "it has no step that runs kamal, so migrate changes nothing in it: rename it, for init to write its own beside it"
			switch {
			case len(deployingSteps(b.file.text)) > 0 || len(scriptsOf(b.file.text, (*script).mayDeploy)) > 0:
				next = "kamal-op migrate makes the one step of it"
			case b.already == b.name:
				next = "call kamal-op in place of kamal where that does it"
			}
			e.plan.note("%s is there already and stays: %s, or init --force writes over it", b.name, next)
		}
		return true
	}
	if by := e.tree.callsDeploy(); by != "" && !in.Force {
		e.plan.note("%s calls a workflow of another repository that deploys already, by its name: no second one is written, unless with --force", by)
		return true
	}
	return false
}

// elsewhere says that another file deploys, and what to do with it.
func (b beginning) elsewhere(e *editor, in InitOptions) string {
	if e.tree.startsDeploys(strings.TrimPrefix(b.already, e.tree.prefix())) && !strings.Contains(b.already, workflowDir) {
		next := ""
		if slices.Contains(e.tree.otherJobs(), b.already) {
			next = ": kamal-op migrate makes a job of kamal-op's of what is there"
		}
		return b.already + " deploys already, and no second workflow is written" + next
	}
	if b.ours {
		return b.already + " deploys already, so no " + in.CI.file() + " is written"
	}
	next := "call kamal-op in place of kamal where that does it"
	if found, err := e.tree.read(b.already); err == nil && len(deployingSteps(found.text)) > 0 {
		next = "kamal-op migrate makes the one step of what is there"
	}
	return b.already + " deploys already, and no second workflow is written: " + next
}

// firstDestination is the one that a workflow begins with, "" where there is a deploy
// without one.
func (e *editor) firstDestination() string {
	switch {
	case slices.Contains(e.destinations, ""):
		return ""
	case slices.Contains(e.destinations, "production"):
		return "production"
	}
	return e.destinations[0]
}

// toDeclare is what the secrets file takes from the environment, as NAME=op://… each.
func (e *editor) toDeclare(in InitOptions, destination string) (declared []string) {
	if !slices.Contains(e.destinations, destination) {
		return nil
	}
	for _, name := range e.usedNames(destination) {
		def, _, ok := e.lookup(destination, name)
		if !ok || def.Kind != kamal.PassThrough || !onepassword.IsEnvironmentName(def.Parts[0].Name) {
			continue
		}
		item := in.itemFor(destination)
		declared = append(declared, def.Parts[0].Name+"=op://"+in.Vault+"/"+item+"/"+def.Parts[0].Name)
		e.needField(in.Vault, item, def.Parts[0].Name)
	}
	slices.Sort(declared)
	return slices.Compact(declared)
}

// otherConfig is the configuration where it is not the usual one.
func (e *editor) otherConfig() string {
	if e.o.ConfigFile == kamal.DefaultConfigFile {
		return ""
	}
	return e.o.ConfigFile
}

// inputs are those that say where the project is.
func (e *editor) inputs() []string {
	var inputs []string
	if e.o.ConfigFile != "" && e.o.ConfigFile != kamal.DefaultConfigFile {
		inputs = append(inputs, "config-file: "+yamlValue(e.o.ConfigFile))
	}
	if within := e.tree.within(); within != "" {
		inputs = append(inputs, "working-directory: "+yamlValue(within))
	}
	return inputs
}

// workflow is a workflow of the repository, opened once.
func (e *editor) workflow(name string) (*workFile, error) {
	if f := e.file(name); f != nil {
		return f, nil
	}
	return e.tree.read(name)
}

// yamlWord is a text as a value on a line of YAML, in quotes where it needs them.
func yamlWord(text string) string {
	rest := strings.TrimPrefix(strings.TrimPrefix(text, "op://"), "env://")
	if rest == "" || strings.ContainsAny(rest, "#:'\"{}[],&*!|>%@`\\") || strings.TrimSpace(rest) != rest {
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return text
}

// workflowText is the workflow with the one step.
func workflowText(branch, group, key, destination string, inputs, declared []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `name: Deploy
on:
  push:
    branches: [%s]
concurrency:
  group: %s
permissions:
  contents: read
  actions: read # whether the run that holds a deploy lock is over
jobs:
  deploy:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - uses: kamal-op/kamal-op@v1
        with:
          service-account-token: ${{ secrets.OP_SERVICE_ACCOUNT_TOKEN }}
`, yamlWord(branch), yamlWord(group))
	if key != "" {
		b.WriteString("          ssh-key: " + yamlWord(key) + "\n")
	}
	if destination != "" {
		b.WriteString("          destination: " + yamlWord(destination) + "\n")
	}
	for _, line := range inputs {
		b.WriteString("          " + line + "\n")
	}
	if len(declared) > 0 {
		b.WriteString("          secrets: |\n")
		for _, line := range declared {
			b.WriteString("            " + line + "\n")
		}
	}
	return b.String()
}
