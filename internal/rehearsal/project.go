package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// startProject moves the user's project to this machine and starts the parts for it.
// The project's own directory is only read: what is changed stands in a
// configuration of the rehearsal's that loads theirs.
func (s *session) startProject(ctx context.Context) (*scenario, error) {
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
	c := accounts{registryUser: registryUser, word: word, vaults: secrets.vaults}
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
		o.scalar("secrets_path", s.path("config", "secrets"))
		if err := s.writeSecrets(secrets); err != nil {
			return nil, err
		}
		s.tell.step("%s, so NAME=$NAME lines stand in for it", secrets.replaced)
	} else {
		s.tell.step("the project's own secrets file is used: %s", strings.Join(secrets.files, ", "))
	}
	if err := s.writeConfig(o); err != nil {
		return nil, err
	}
	config := s.path("config", "deploy.yml")
	moved, err := s.resolve(ctx, config)
	if err != nil {
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
	return s.projectScenario(ctx, moved, secrets, config), nil
}

// resolve is what Kamal makes of the rehearsal's configuration, which leads nowhere
// but to this machine.
func (s *session) resolve(ctx context.Context, config string) (*resolved.Configuration, error) {
	answer, err := s.question(config).Resolve(ctx)
	for err == nil && answer.Resolved == nil && s.standIn(answer.Error) {
		answer, err = s.question(config).Resolve(ctx)
	}
	if err != nil {
		return nil, err
	}
	if answer.Resolved == nil {
		return nil, s.refused(answer.Error)
	}
	return answer.Resolved, s.loopbackOnly(answer.Resolved)
}

// rawConfig is the project's configuration as Kamal loads it. Where it wants a
// destination and none is named, the only one is taken, or production; a variable
// that its ERB asks for is made up.
func (s *session) rawConfig(ctx context.Context) (map[string]any, error) {
	file := s.configFile()
	if _, err := os.Stat(file); err != nil {
		return nil, (&problem.Problem{
			Message: "there is no " + s.relative(file) + " to rehearse",
			Hint:    "name the project's directory with --project, and its file with --config-file",
			Status:  problem.Found, Cause: err,
		})
	}
	answer, err := s.question(file).Raw(ctx)
	for err != nil && len(s.otherKamals) > 0 && ctx.Err() == nil {
		// A binstub whose gems are not installed does not end the rehearsal.
		s.kamal, s.otherKamals = s.otherKamals[0], s.otherKamals[1:]
		answer, err = s.question(file).Raw(ctx)
	}
	raw, fault := s.loaded(answer)
	for err == nil && s.standIn(fault) {
		answer, err = s.question(file).Raw(ctx)
		raw, fault = s.loaded(answer)
	}
	if err != nil {
		return nil, err
	}
	if fault != "" {
		return nil, s.refused(fault)
	}
	return raw, nil
}

// question asks Kamal for the configuration in file.
func (s *session) question(file string) resolved.Question {
	return resolved.Question{
		Kamal: s.kamal, Dir: s.opts.Project, ConfigFile: file, Destination: s.opts.Destination, Env: s.env, TempDir: s.path("config"),
	}
}

// loaded is the configuration that Kamal has loaded. fault is why it has none, or why
// it will not deploy that, in its words; "" for neither.
func (s *session) loaded(a resolved.Answer) (raw map[string]any, fault string) {
	if a.Error != "" || json.Unmarshal(a.Raw, &raw) != nil || raw == nil {
		return nil, a.Error
	}
	service, _ := raw["service"].(string)
	switch {
	case service == "":
		fault = "Missing required configuration for service"
	case raw["require_destination"] == true && s.opts.Destination == "":
		fault = "You must specify a destination"
	case raw["servers"] == nil && raw["accessories"] == nil:
		fault = "No servers or accessories specified"
	}
	return raw, fault
}

// standIn provides what the configuration lacks, says so, and tells whether there
// is something new to try it with.
func (s *session) standIn(fault string) bool {
	f, ok := kamal.ExplainConfig(s.projectOptions(), fault)
	if !ok {
		return false
	}
	if f.Destination {
		only, ok := f.Only()
		if ok {
			s.opts.Destination = only
			s.tell.step("no destination is named: %s is rehearsed (of %s)", only, strings.Join(f.Destinations, ", "))
		}
		return ok
	}
	for _, entry := range s.env {
		if strings.HasPrefix(entry, f.Variable+"=") {
			return false // it was tried
		}
	}
	s.env = environ.List(s.env).With(f.Variable, madeUpVariable)
	s.tell.step("%s is not set, which %s reads: %q stands in for it (--env %s=VALUE gives another)", f.Variable, f.Place, madeUpVariable, f.Variable)
	return true
}

// madeUpVariable stands in for what a configuration reads from the environment:
// most of it are names of hosts.
const madeUpVariable = "rehearsal.invalid"

// refused is the problem of a configuration that Kamal does not take.
func (s *session) refused(fault string) *problem.Problem {
	if f, ok := kamal.ExplainConfig(s.projectOptions(), fault); ok {
		p := problem.New(f.Message(), f.Hint())
		p.Place = f.Place
		p.Details = []string{"kamal says: " + oneLine(fault)}
		return p
	}
	return problem.New("kamal does not take "+s.relative(s.configFile())+": "+oneLine(fault),
		"see what `kamal config` says in the project's directory")
}

func (s *session) projectOptions() kamal.ProjectOptions {
	return kamal.ProjectOptions{Dir: s.opts.Project, ConfigFile: s.relative(s.configFile()), Destination: s.opts.Destination, Env: s.env}
}

func (s *session) configFile() string {
	file := s.opts.ConfigFile
	if file == "" {
		file = kamal.DefaultConfigFile
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(s.opts.Project, file)
	}
	return file
}

func (s *session) relative(file string) string {
	if rel, err := filepath.Rel(s.opts.Project, file); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return file
}

// writeConfig writes the configuration that Kamal is given: ERB that loads the
// project's own in Kamal's process, so that what theirs computes is never on
// disk, and lays the overlay over it.
func (s *session) writeConfig(o *overlay) error {
	files := []string{s.configFile()}
	written := map[string]string{}
	if s.opts.Destination != "" {
		files = append(files, kamal.DestinationFile(s.configFile(), s.opts.Destination))
		// Kamal wants a file of the destination beside its own.
		written[filepath.Base(kamal.DestinationFile(kamal.DefaultConfigFile, s.opts.Destination))] = "{}\n"
	}
	quoted := make([]string, len(files))
	for i, file := range files {
		quoted[i] = rubyQuote(file)
	}
	// What is plain and known stands there plainly, for whoever reads the file
	// without running it.
	var plain strings.Builder
	for _, key := range slices.Sorted(maps.Keys(o.plain)) {
		fmt.Fprintf(&plain, "%s: %s\n", key, o.plain[key])
		o.drop(key)
	}
	overlay, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the overlay: %w", err)
	}
	written["overlay.json"] = string(overlay)
	written["deploy.yml"] = plain.String() + `<%=
  require "json"
  rehearsed = [ ` + strings.Join(quoted, ", ") + ` ].inject({}) do |config, file|
    config.deep_merge(YAML.unsafe_load(ERB.new(File.read(file), trim_mode: "-").result).to_h.transform_keys(&:to_s))
  end
  overlay = JSON.parse(File.read(` + rubyQuote(s.path("config", "overlay.json")) + `))
  overlay.fetch("drop").each do |*path, key|
    section = path.inject(rehearsed) { |at, name| at.is_a?(Hash) ? at[name] : nil }
    section.delete(key) if section.is_a?(Hash)
  end
  rehearsed.deep_merge(overlay.fetch("set")).to_yaml.delete_prefix("---\n")
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

// projectScenario is what is deployed and what is to be seen then.
func (s *session) projectScenario(ctx context.Context, r *resolved.Configuration, secrets *projectSecrets, config string) *scenario {
	p := &scenario{path: "/", request: DeployRequest{
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
		p.request.Env = environ.List(p.request.Env).With("VERSION", "rehearsal-"+s.made.id)
	}
	add := func(filter string, c resolved.Container, hosts []string, proxy *resolved.Proxy) {
		if len(hosts) == 0 {
			return
		}
		for _, variable := range slices.Sorted(maps.Keys(c.Secrets)) {
			value, known := secrets.value(c.Secrets[variable])
			p.wants = append(p.wants, expectedVariable{filter: filter, name: variable, value: value, known: known})
		}
		if proxy == nil {
			return
		}
		if len(proxy.Hosts) == 0 {
			p.hosts = append(p.hosts, "")
		}
		for _, host := range proxy.Hosts {
			p.hosts = append(p.hosts, strings.Replace(host, "*", "rehearsal", 1))
		}
		if len(proxy.PathPrefixes) > 0 && p.path == "/" {
			p.path = proxy.PathPrefixes[0]
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Roles)) {
		role := r.Roles[name]
		add("role="+name, role.Container, role.Hosts, role.Proxy)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Accessories)) {
		accessory := r.Accessories[name]
		add("service="+accessory.Service, accessory.Container, accessory.Hosts, accessory.Proxy)
	}
	p.hosts = unique(p.hosts)
	return p
}

func (s *session) inGit(ctx context.Context) bool {
	git, err := s.program("", "git")
	if err != nil {
		return false
	}
	cmd := exec.CommandContext(ctx, git, "rev-parse", "--verify", "--quiet", "HEAD")
	cmd.Dir, cmd.Env = s.opts.Project, s.env
	return cmd.Run() == nil
}

// tellHooks says what becomes of the project's hooks.
func (s *session) tellHooks(raw map[string]any) {
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
		if environ.Executable(filepath.Join(path, entry.Name())) == nil && filepath.Ext(entry.Name()) == "" {
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
