package check

import (
	"cmp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/yamlfile"
)

// A step is what a pipeline's file hands to kamal-op in one place: the inputs of an
// action, the settings of a plugin, a list of variables.
type step struct {
	declared []Declared // without a name: a whole item
	keys     []onepassword.Reference

	destination string
	anywhere    bool // which destination it deploys is not known: it may be any
	environment bool // it holds for every command below it
	config      string
	dir         string // of the project, seen from the folder that the file belongs to
	top         string // that folder

	lines lineRange // that it stands in
	other bool      // it deploys nothing
}

// The names that an option has in a pipeline's files.
var (
	secretKeys      = []string{"secrets", "secret", "KAMAL_OP_SECRETS", "KAMAL_OP_SECRET"}
	allowNameKeys   = []string{"allow-name", "allow_name", "KAMAL_OP_ALLOW_NAME"}
	keyKeys         = []string{"ssh-key", "ssh-keys", "ssh_key", "KAMAL_OP_SSH_KEY", "KAMAL_OP_SSH_KEYS"}
	destinationKeys = []string{"destination", "KAMAL_OP_DESTINATION"}
	configKeys      = []string{"config-file", "config_file", "KAMAL_OP_CONFIG_FILE"}
	directoryKeys   = []string{"working-directory", "working_directory", "KAMAL_OP_WORKING_DIRECTORY"}
)

// deployingCommands are those that need what deploy.yml names.
var deployingCommands = []string{"", "deploy", "setup", "redeploy", "rollback", "kamal"}

// readYAML takes what a file's text hands to kamal-op, and the lines of its mappings.
// One that is not YAML hands over nothing that is known.
func (p *pipeline) readYAML(text, top string) {
	file, err := yamlfile.Parse(text, true)
	if err != nil {
		return
	}
	r := stepReader{pipeline: p, top: top, anchors: map[string]ast.Node{}}
	for _, doc := range file.Docs {
		r.walk(doc.Body, "")
	}
}

// A stepReader looks for steps in a syntax tree.
type stepReader struct {
	*pipeline
	top     string
	anchors map[string]ast.Node
	allowed []string // names that the environment around allows though programs follow them
	command string   // what a called workflow of kamal-op's carries out where it is given none
}

// walk looks at a node and all that it has. destination is that of the environment
// around it.
func (r *stepReader) walk(n ast.Node, destination string) {
	switch n := n.(type) {
	case *ast.AnchorNode:
		r.anchors[n.Name.GetToken().Value] = n.Value
		r.walk(n.Value, destination)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			r.walk(v, destination)
		}
	case *ast.DocumentNode:
		r.walk(n.Body, destination)
	}
	pairs := yamlfile.Pairs(n)
	if len(pairs) == 0 {
		return
	}
	before := r.allowed
	for _, around := range []string{"env", "environment", "variables"} {
		env := yamlfile.Pairs(r.real(valueOf(pairs, around)))
		if given := firstText(r.texts(env, destinationKeys)); given != "" {
			destination = given
		}
		r.allowed = slices.Concat(r.allowed, r.names(env, allowNameKeys))
	}
	r.take(n, destination)
	uses := scalarOf(valueOf(pairs, "uses"))
	another := anotherAction(uses)
	for _, pair := range pairs {
		r.command = ""
		if pair.Key.GetToken().Value == "with" {
			if another {
				continue
			}
			r.command = commandOf(uses)
		}
		r.walk(pair.Value, destination)
		if _, alias := pair.Value.(*ast.AliasNode); alias {
			r.take(r.real(pair.Value), destination)
		}
	}
	r.allowed = before
}

// take notes a mapping and what it hands to kamal-op.
func (r *stepReader) take(n ast.Node, around string) {
	pairs := yamlfile.Pairs(n)
	if len(pairs) == 0 {
		return
	}
	lines := r.linesOf(n)
	r.mappings = append(r.mappings, lines)
	if s, ok := r.step(pairs, around); ok {
		s.lines = lines
		r.steps = append(r.steps, s)
	}
}

// anotherAction reports whether an action is neither ours nor one that may call ours.
func anotherAction(uses string) bool {
	return uses != "" && !strings.Contains(uses, "kamal") && !strings.HasPrefix(uses, "./") && !strings.Contains(uses, "/.github/")
}

// step is what a mapping hands to kamal-op; ok is false where that is nothing.
func (r *stepReader) step(pairs []*ast.MappingValueNode, around string) (s step, ok bool) {
	allowed := append(r.names(pairs, allowNameKeys), r.allowed...)
	for _, text := range r.texts(pairs, secretKeys) {
		if d, err := onepassword.ParseDeclaration(text, byWorkflow); err == nil {
			s.declared = append(s.declared, Declared{Name: d.Name, Ref: d.Ref, Variable: d.Variable, Origin: d.Origin, allowed: slices.Contains(allowed, d.Name)})
		}
	}
	for _, text := range r.texts(pairs, keyKeys) {
		if ref, err := onepassword.ParseReference(text); err == nil {
			s.keys = append(s.keys, ref)
		}
	}
	if len(s.declared)+len(s.keys) == 0 {
		return s, false
	}
	s.top = r.top
	s.config, s.dir = firstText(r.texts(pairs, configKeys)), firstText(r.texts(pairs, directoryKeys))
	s.destination = firstText(r.texts(pairs, destinationKeys))
	args := firstText(r.texts(pairs, []string{"args"}))
	if m := namesDestination().FindStringSubmatch(args); m != nil && s.destination == "" {
		s.destination = m[1]
	}
	// What stands in the environment holds for every command below it, which may name
	// a destination of its own.
	s.environment = slices.ContainsFunc(pairs, func(p *ast.MappingValueNode) bool {
		return strings.HasPrefix(p.Key.GetToken().Value, "KAMAL_OP_S")
	})
	s.anywhere = s.environment && s.destination == ""
	if s.destination == "" && around != "" {
		s.destination, s.anywhere = around, false
	}
	command := cmp.Or(firstText(r.texts(pairs, []string{"command"})), r.command)
	switch {
	case strings.Contains(command, "$") || s.environment:
	case strings.HasPrefix(command, "review"):
		if s.destination == "" {
			s.destination = "review"
		}
	case !slices.Contains(deployingCommands, command):
		s.other = true
	}
	s.anywhere = s.anywhere || strings.Contains(s.destination, "$")
	return s, true
}

// deploys reports whether a step deploys a destination of the configuration in dir.
func (s step) deploys(o Options, destination string) bool {
	switch {
	case s.other || !s.anywhere && s.destination != destination:
		return false
	case !strings.Contains(s.config, "$") && !(s.config == "" && s.environment) &&
		inDir(o.Dir, cmp.Or(s.config, kamal.DefaultConfigFile)) != inDir(o.Dir, cmp.Or(o.ConfigFile, kamal.DefaultConfigFile)):
		return false
	case strings.Contains(s.dir, "$"):
		return true
	case s.dir == "" && s.environment:
		return true // a command may change it
	}
	return inDir(s.top, s.dir) == inDir(o.Dir, "")
}

// texts are the values that one of the keys has, one a line, entry or pair.
func (r *stepReader) texts(pairs []*ast.MappingValueNode, keys []string) []string {
	var all []string
	for _, key := range keys {
		switch n := r.real(valueOf(pairs, key)).(type) {
		case *ast.SequenceNode:
			for _, v := range n.Values {
				all = append(all, linesOf(scalarOf(r.real(v)))...)
			}
		case *ast.MappingNode, *ast.MappingValueNode:
			for _, pair := range yamlfile.Pairs(n) {
				all = append(all, pair.Key.GetToken().Value+"="+scalarOf(r.real(pair.Value)))
			}
		default:
			all = append(all, linesOf(scalarOf(n))...)
		}
	}
	return all
}

// names are the names that one of the keys lists.
func (r *stepReader) names(pairs []*ast.MappingValueNode, keys []string) (names []string) {
	for _, text := range r.texts(pairs, keys) {
		names = append(names, strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })...)
	}
	return names
}

// real is what an anchor marks, or an alias names.
func (r *stepReader) real(n ast.Node) ast.Node {
	switch n := n.(type) {
	case *ast.AnchorNode:
		return n.Value
	case *ast.AliasNode:
		return r.anchors[n.Value.GetToken().Value]
	}
	return n
}

func valueOf(pairs []*ast.MappingValueNode, key string) ast.Node {
	for _, pair := range pairs {
		if pair.Key.GetToken().Value == key {
			return pair.Value
		}
	}
	return nil
}

func scalarOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value
	case *ast.LiteralNode:
		return n.Value.Value
	}
	return ""
}

// linesOf are the lines of a text that say something.
func linesOf(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}

func firstText(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}
