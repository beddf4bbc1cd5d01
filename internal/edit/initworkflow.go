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
	already, ours := e.tree.deploysAlready(e.o.ConfigFile)
	name := e.tree.prefix() + in.CI.file()
	f, err := e.workflow(name)
	if err != nil {
		return err
	}
	if within := e.tree.within(); within != "" && f.exists && already != name && in.CI.manyFiles() {
		// Another project of the repository has that one.
		name = e.tree.prefix() + path.Join(workflowDir, "deploy-"+strings.ReplaceAll(within, "/", "-")+".yml")
		if f, err = e.workflow(name); err != nil {
			return err
		}
	}
	switch {
	case already != "" && already != name:
		switch {
		case startsDeploys(strings.TrimPrefix(already, e.tree.prefix())) && !strings.Contains(already, workflowDir):
			e.plan.note("%s deploys already, and no second workflow is written", already)
		case !ours:
			next := "call kamal-op in place of kamal where that does it"
			if found, err := e.tree.read(already); err == nil && len(deployingSteps(found.text)) > 0 {
				next = "kamal-op migrate makes the one step of what is there"
			}
			e.plan.note("%s deploys already, and no second workflow is written: %s", already, next)
		default:
			e.plan.note("%s deploys already, so no %s is written", already, in.CI.file())
		}
		return nil
	case f.exists && !in.CI.manyFiles():
		if already == "" || in.Force {
			e.plan.note("%s is there already and stays: it is the only one of its kind, and %s has the job to add", name, in.CI.page())
		}
		return nil
	case f.exists && !in.Force:
		if !strings.Contains(f.text, oneStep) {
			next := "it has no step that runs kamal, so migrate changes nothing in it: rename it, for init to write its own beside it"
			switch {
			case len(deployingSteps(f.text)) > 0 || len(scriptsOf(f.text, (*script).mayDeploy)) > 0:
				next = "kamal-op migrate makes the one step of it"
			case already == name:
				next = "call kamal-op in place of kamal where that does it"
			}
			e.plan.note("%s is there already and stays: %s, or init --force writes over it", name, next)
		}
		return nil
	}
	if by := e.tree.callsDeploy(); by != "" && !in.Force {
		e.plan.note("%s calls a workflow of another repository that deploys already, by its name: no second one is written, unless with --force", by)
		return nil
	}
	missing := programsMissing(e.o.Dir)
	for _, program := range sortedKeys(missing) {
		e.plan.todo(Todo{Do: "bring-program", Text: missing[program] + " calls " + program +
			", which the action's image has not: take what it gives from 1Password, or deploy in a job that has it"})
	}
	destination := ""
	if !slices.Contains(e.destinations, "") {
		destination = e.destinations[0]
		if slices.Contains(e.destinations, "production") {
			destination = "production"
		}
		if len(e.destinations) > 1 {
			e.plan.note("%s deploys the destination %s: others need a job of their own", name, destination)
		}
	}
	var declared []string
	for _, d := range e.destinations {
		if d != destination {
			continue
		}
		for _, name := range e.usedNames(d) {
			def, _, ok := e.lookup(d, name)
			if !ok || def.Kind != kamal.PassThrough || !onepassword.IsEnvironmentName(def.Parts[0].Name) {
				continue
			}
			item := in.itemFor(d)
			declared = append(declared, def.Parts[0].Name+"=op://"+in.Vault+"/"+item+"/"+def.Parts[0].Name)
			e.needField(in.Vault, item, def.Parts[0].Name)
		}
	}
	slices.Sort(declared)
	// Deploys of one project wait for each other, and for no other project's.
	group := strings.TrimSuffix("deploy-"+destination, "-")
	if within := e.tree.within(); within != "" {
		group += "-" + strings.ReplaceAll(within, "/", "-")
	}
	f.text = in.CI.text(deployJob{
		branch: orElse(in.Branch, "main"), group: group, key: key, destination: destination,
		config: e.otherConfig(), within: e.tree.within(), secrets: slices.Compact(declared),
	}, e.inputs())
	e.plan.Todo = slices.DeleteFunc(e.plan.Todo, func(t Todo) bool { return t.Do == "declare" })
	if !slices.Contains(e.files, f) {
		e.files = append(e.files, f)
	}
	return nil
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
	rest := strings.TrimPrefix(text, "op://")
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
