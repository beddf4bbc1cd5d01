package rehearsal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// The vault of a project's rehearsal, where nothing says how it is laid out.
const (
	projectVault = "Rehearsal"
	projectItem  = "Secrets"
)

// project moves the user's project to this machine and starts the parts for it.
// The project's own directory is only read: what is changed stands in a
// configuration of the rehearsal's that loads theirs.
func (s *stage) project(ctx context.Context) (*play, error) {
	raw, err := s.rawConfig(ctx)
	if err != nil {
		return nil, err
	}
	service, _ := raw["service"].(string)
	s.made.service = service + "-rehearsal-" + s.made.id
	secrets, err := s.readSecrets(raw)
	if err != nil {
		return nil, err
	}
	word := randomText() + randomText()
	registry := asMap(raw["registry"])
	c := cast{registryUser: registryUser, word: word, vaults: secrets.vaults}
	// How the project names its user and password is part of what is rehearsed.
	ours := map[string]any{"username": registryUser, "password": word}
	if user, ok := secrets.one(registry["username"]); ok {
		c.registryUser, ours["username"] = user, registry["username"]
	}
	if password, ok := secrets.one(registry["password"]); ok {
		c.word, ours["password"] = password, registry["password"]
	}
	if err := s.start(ctx, c); err != nil {
		return nil, err
	}
	o := newOverlay(s, raw, ours)
	if secrets.replaced != "" {
		o.Set["secrets_path"] = s.path("config", "secrets")
		if err := s.writeSecrets(secrets); err != nil {
			return nil, err
		}
		s.tell.step("%s, so NAME=$NAME lines stand in for it", secrets.replaced)
	}
	if err := s.writeConfig(o); err != nil {
		return nil, err
	}
	config := s.path("config", "deploy.yml")
	answer, err := s.readback(ctx, config, false)
	if err != nil {
		return nil, err
	}
	if answer.Resolved == nil {
		return nil, &problem.Problem{
			Message: "kamal does not accept the project's configuration: " + oneLine(answer.Error),
			Hint:    "see what `kamal config` says in the project's directory",
			Status:  problem.Found,
		}
	}
	if err := answer.Resolved.loopbackOnly(s); err != nil {
		return nil, err
	}
	s.tell.step("%s is rehearsed as %s: hosts, SSH, registry, builder and kamal-proxy are on %s, as kamal itself reads it",
		service, s.made.service, loopback)
	for _, line := range o.lines() {
		s.tell.step("%s", line)
	}
	s.tellHooks(raw)
	if err := s.register(ctx); err != nil {
		return nil, err
	}
	for _, name := range unique(o.volumes) {
		if _, err := s.engine.run(ctx, "volume", "create", "--label", Label+"="+s.made.id, name); err != nil {
			return nil, fmt.Errorf("making the volume %s: %w", name, err)
		}
	}
	return s.projectPlay(ctx, answer.Resolved, secrets, config), nil
}

// rawConfig is the project's configuration as Kamal loads it.
func (s *stage) rawConfig(ctx context.Context) (map[string]any, error) {
	file := s.configFile()
	if _, err := os.Stat(file); err != nil {
		return nil, (&problem.Problem{
			Message: "there is no " + s.relative(file) + " to rehearse",
			Hint:    "name the project's directory with --project, and its file with --config-file",
			Status:  problem.Found, Cause: err,
		})
	}
	answer, err := s.readback(ctx, file, true)
	if err != nil && s.opts.Kamal == "" && ctx.Err() == nil {
		// A binstub whose gems are not installed does not end the rehearsal.
		if other, missing := s.program("", "kamal"); missing == nil && other != s.kamal {
			s.kamal = other
			answer, err = s.readback(ctx, file, true)
		}
	}
	if err != nil {
		return nil, err
	}
	if answer.Raw == nil {
		return nil, &problem.Problem{
			Message: "kamal cannot read " + s.relative(file) + ": " + oneLine(answer.Error),
			Hint:    "see what `kamal config` says in the project's directory",
			Status:  problem.Found,
		}
	}
	if service, _ := answer.Raw["service"].(string); service == "" {
		return nil, problem.New(s.relative(file)+" names no service", "add `service: NAME`")
	}
	return answer.Raw, nil
}

func (s *stage) configFile() string {
	file := s.opts.ConfigFile
	if file == "" {
		file = filepath.Join("config", "deploy.yml")
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(s.opts.Project, file)
	}
	return file
}

func (s *stage) relative(file string) string {
	if rel, err := filepath.Rel(s.opts.Project, file); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return file
}

// destinationFile is the file that Kamal merges into another for a destination.
func destinationFile(file, destination string) string {
	return strings.TrimSuffix(file, filepath.Ext(file)) + "." + destination + ".yml"
}

// writeConfig writes the configuration that Kamal is given: ERB that loads the
// project's own in Kamal's process, so that what theirs computes is never on
// disk, and lays the overlay over it.
func (s *stage) writeConfig(o *overlay) error {
	overlay, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the overlay: %w", err)
	}
	files := []string{s.configFile()}
	written := map[string]string{"overlay.json": string(overlay)}
	if s.opts.Destination != "" {
		files = append(files, destinationFile(s.configFile(), s.opts.Destination))
		// Kamal wants a file of the destination beside its own.
		written[filepath.Base(destinationFile("deploy.yml", s.opts.Destination))] = "{}\n"
	}
	quoted := make([]string, len(files))
	for i, file := range files {
		quoted[i] = rubyQuote(file)
	}
	written["deploy.yml"] = `<%=
  require "json"
  rehearsed = [ ` + strings.Join(quoted, ", ") + ` ].inject({}) do |config, file|
    config.deep_merge(YAML.unsafe_load(ERB.new(File.read(file), trim_mode: "-").result).to_h.transform_keys(&:to_s))
  end
  overlay = JSON.parse(File.read(` + rubyQuote(s.path("config", "overlay.json")) + `))
  overlay.fetch("drop").each do |*path, key|
    section = path.inject(rehearsed) { |at, name| at.is_a?(Hash) ? at[name] : nil }
    section.delete(key) if section.is_a?(Hash)
  end
  rehearsed.deep_merge(overlay.fetch("set")).to_yaml
%>
`
	for name, content := range written {
		if err := os.WriteFile(s.path("config", name), []byte(content), 0o600); err != nil {
			return fmt.Errorf("writing the overlay: %w", err)
		}
	}
	return nil
}

func rubyQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// projectSecrets are the secrets of a project and where Kamal will find them.
type projectSecrets struct {
	names    []string          // that Kamal needs, in order
	values   map[string]string // by name
	declared []string          // for the main job: NAME=op://…
	replaced string            // why the project's own secrets file is not used; "" if it is
	reads    map[string]string // name to reference, for the project's own file
	texts    []string          // of the project's own files, where they are used
}

// value is what Kamal is to get under a name, as far as that is known: the
// project's own file may build it from others.
func (p *projectSecrets) value(name string) (value string, known bool) {
	if p.replaced != "" {
		value, known = p.values[name]
		return value, known
	}
	if _, ok := p.reads[name]; ok {
		return p.values[name], true
	}
	definition := regexp.MustCompile(`^\s*(?:export\s+)?` + regexp.QuoteMeta(name) + `\s*=\s*(.*?)\s*$`)
	variable := regexp.MustCompile(`^"?\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?"?$`)
	for _, text := range slices.Backward(p.texts) { // a later file wins
		defined := false
		for line := range strings.Lines(text) {
			if found := definition.FindStringSubmatch(line); found != nil { // a later line wins
				defined, value, known = true, "", false
				if named := variable.FindStringSubmatch(found[1]); named != nil {
					value, known = p.values[named[1]]
				}
			}
		}
		if defined {
			return value, known
		}
	}
	return "", false
}

// one is the value of a registry's user or password that is named as a secret.
func (p *projectSecrets) one(theirs any) (value string, known bool) {
	if names := secretNames(theirs); len(names) == 1 {
		return p.value(names[0])
	}
	return "", false
}

// readSecrets finds out which secrets the project needs and gives each a value.
func (s *stage) readSecrets(raw map[string]any) (*projectSecrets, error) {
	p := &projectSecrets{names: usedNames(raw), values: map[string]string{}, reads: s.opts.Reads}
	texts, err := s.secretsFiles(raw)
	if err != nil {
		return nil, err
	}
	variables := p.names
	switch {
	case len(texts) == 0 && len(p.names) > 0:
		p.replaced = "the project has no secrets file"
	case s.opts.Reads != nil:
		variables, p.texts = variablesIn(texts), texts
	case slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, "$(") }):
		p.replaced = "the secrets file of the project runs commands"
	default:
		variables, p.texts = variablesIn(texts), texts
	}
	for _, name := range unique(slices.Concat(p.names, variables, slices.Collect(maps.Keys(s.opts.Reads)))) {
		value, ok := s.opts.Values[name]
		if !ok {
			value = madeUp()
		}
		p.values[name] = value
	}
	for _, name := range variables {
		p.declared = append(p.declared, fmt.Sprintf("%s=op://%s/%s/%s", name, projectVault, projectItem, name))
	}
	return p, nil
}

// secretsFiles are the texts of the secrets files that Kamal would read.
func (s *stage) secretsFiles(raw map[string]any) ([]string, error) {
	path, _ := raw["secrets_path"].(string)
	if path == "" {
		path = ".kamal/secrets"
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.opts.Project, path)
	}
	names := []string{path + "-common", path}
	if s.opts.Destination != "" {
		names[1] = path + "." + s.opts.Destination
	}
	var texts []string
	for _, name := range names {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the project's secrets file: %w", err)
		}
		texts = append(texts, string(text))
	}
	return texts, nil
}

// variablesIn are the names in $NAME and ${NAME} of secrets files, outside of
// comments: what a run has to have in its environment.
func variablesIn(texts []string) []string {
	pattern := regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)
	var names []string
	for _, text := range texts {
		defined := map[string]bool{}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(strings.TrimSpace(line), "#") {
				continue
			}
			for _, match := range pattern.FindAllStringSubmatch(line, -1) {
				// What the file itself has defined before is taken from there.
				if !defined[match[1]] {
					names = append(names, match[1])
				}
			}
			if name, _, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "="); ok {
				defined[strings.TrimSpace(name)] = true
			}
		}
	}
	return unique(names)
}

// madeUp is a value for a secret that has none: 32 hex digits, as long as a
// Rails key has to be.
func madeUp() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// vaults lays the vault out: every value under its name, and again where the
// project's own secrets file looks for it.
func (p *projectSecrets) vaults(key string) []VaultSpec {
	layout := map[string]map[string]map[string]string{projectVault: {projectItem: {}, serverItem: {"SSH_KEY": key}}}
	maps.Copy(layout[projectVault][projectItem], p.values)
	for name, ref := range p.reads {
		parts := strings.Split(strings.TrimPrefix(ref, "op://"), "/")
		if len(parts) < 3 {
			continue
		}
		vault, item, field := parts[0], parts[1], strings.Join(parts[2:], "/")
		if layout[vault] == nil {
			layout[vault] = map[string]map[string]string{}
		}
		if layout[vault][item] == nil {
			layout[vault][item] = map[string]string{}
		}
		layout[vault][item][field] = p.values[name]
	}
	var vaults []VaultSpec
	for _, vault := range slices.Sorted(maps.Keys(layout)) {
		spec := VaultSpec{Name: vault}
		for _, item := range slices.Sorted(maps.Keys(layout[vault])) {
			spec.Items = append(spec.Items, itemOf(item, layout[vault][item]))
		}
		vaults = append(vaults, spec)
	}
	return vaults
}

// itemOf is an item with fields; section/label is a field in a section.
func itemOf(title string, fields map[string]string) ItemSpec {
	item := ItemSpec{Title: title}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		section, label, ok := strings.Cut(name, "/")
		if !ok {
			section, label = "", name
		} else if !slices.Contains(item.Sections, SectionSpec{Label: section}) {
			item.Sections = append(item.Sections, SectionSpec{Label: section})
		}
		item.Fields = append(item.Fields, FieldSpec{Label: label, Value: fields[name], Section: section})
	}
	return item
}

// writeSecrets writes the secrets file that stands in for the project's: names
// only, whose values come in Kamal's environment.
func (s *stage) writeSecrets(p *projectSecrets) error {
	var b strings.Builder
	for _, name := range p.names {
		fmt.Fprintf(&b, "%s=$%s\n", name, name)
	}
	path := s.path("config", "secrets")
	if s.opts.Destination != "" {
		path += "." + s.opts.Destination
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("writing the secrets file: %w", err)
	}
	return nil
}

// usedNames are the secrets that a configuration names and a rehearsal needs: not
// those of certificates and of other registries, which it has no use for.
func usedNames(raw map[string]any) []string {
	var names []string
	add := func(list any) {
		for _, name := range secretNames(list) {
			if _, secret, ok := strings.Cut(name, ":"); ok { // NAME:SECRET
				name = secret
			}
			names = append(names, name)
		}
	}
	registry := asMap(raw["registry"])
	for _, key := range []string{"username", "password"} {
		if list := secretNames(registry[key]); len(list) == 1 {
			add(registry[key])
		}
	}
	add(asMap(raw["builder"])["secrets"])
	var env func(any)
	env = func(section any) {
		add(asMap(section)["secret"])
		for _, tag := range asMap(asMap(section)["tags"]) {
			env(tag)
		}
	}
	env(raw["env"])
	for _, sections := range []any{raw["servers"], raw["accessories"]} {
		for _, section := range asMap(sections) {
			env(asMap(section)["env"])
		}
	}
	return unique(names)
}

// secretNames are the names in a list; a string alone is no name but a value.
func secretNames(v any) []string {
	list, _ := v.([]any)
	var names []string
	for _, entry := range list {
		if name, ok := entry.(string); ok {
			names = append(names, name)
		}
	}
	return names
}

// projectPlay is what is deployed and what is to be seen then.
func (s *stage) projectPlay(ctx context.Context, r *resolved, secrets *projectSecrets, config string) *play {
	p := &play{path: "/", request: DeployRequest{
		Command:      "deploy",
		Dir:          s.opts.Project,
		ConfigFile:   config,
		Destination:  s.opts.Destination,
		Env:          s.env,
		Kamal:        s.opts.Kamal,
		ConnectHost:  s.vault.URL(),
		ConnectToken: s.vault.Token(),
		SSHKeys:      []string{"op://" + projectVault + "/" + serverItem},
		Secrets:      secrets.declared,
	}}
	if len(r.Accessories) > 0 {
		p.request.Command = "setup"
	}
	if !s.inGit(ctx) {
		// Kamal names versions after commits; without any it wants to be told.
		p.request.Env = setEnv(p.request.Env, "VERSION", "rehearsal-"+s.made.id)
	}
	add := func(filter string, c resolvedContainer) {
		if len(c.Hosts) == 0 {
			return
		}
		for _, variable := range slices.Sorted(maps.Keys(c.Secrets)) {
			value, known := secrets.value(c.Secrets[variable])
			p.wants = append(p.wants, wanted{filter: filter, name: variable, value: value, known: known})
		}
		if c.Proxy == nil {
			return
		}
		if len(c.Proxy.Hosts) == 0 {
			p.hosts = append(p.hosts, "")
		}
		for _, host := range c.Proxy.Hosts {
			p.hosts = append(p.hosts, strings.Replace(host, "*", "rehearsal", 1))
		}
		if len(c.Proxy.Paths) > 0 && p.path == "/" {
			p.path = c.Proxy.Paths[0]
		}
	}
	for _, c := range r.Roles {
		add("role="+c.Name, c)
	}
	for _, c := range r.Accessories {
		add("service="+c.Service, c)
	}
	p.hosts = unique(p.hosts)
	return p
}

func (s *stage) inGit(ctx context.Context) bool {
	git, err := s.program("", "git")
	if err != nil {
		return false
	}
	cmd := exec.CommandContext(ctx, git, "rev-parse", "--verify", "--quiet", "HEAD")
	cmd.Dir, cmd.Env = s.opts.Project, s.env
	return cmd.Run() == nil
}

// tellHooks says what becomes of the project's hooks.
func (s *stage) tellHooks(raw map[string]any) {
	path, _ := raw["hooks_path"].(string)
	if path == "" {
		path = ".kamal/hooks"
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.opts.Project, path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return
	}
	var names []string
	for _, entry := range entries {
		if executable(filepath.Join(path, entry.Name())) && filepath.Ext(entry.Name()) == "" {
			names = append(names, entry.Name())
		}
	}
	switch {
	case len(names) == 0:
	case s.opts.WithHooks:
		s.tell.step("hooks run as they are: %s", strings.Join(names, ", "))
	default:
		s.tell.step("hooks are off (--with-hooks runs them): %s", strings.Join(names, ", "))
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
