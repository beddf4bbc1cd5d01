package kamal

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// DefaultConfigFile and DefaultSecretsPath are Kamal's.
const (
	DefaultConfigFile  = "config/deploy.yml"
	DefaultSecretsPath = ".kamal/secrets"
)

// A Value is one scalar of deploy.yml. Known is false where the key is not there,
// and where its text depends on ERB: then Text is empty and ERB is true.
type Value struct {
	Text  string
	Known bool
	ERB   bool
	Place problem.Place
}

// Or is the value's text, or other where the value is not known.
func (v Value) Or(other string) string {
	if v.Known {
		return v.Text
	}
	return other
}

// A Use is one place in deploy.yml that names a secret.
type Use struct {
	Name  string // of the secret, as .kamal/secrets defines it
	As    string // the variable's name in the container, where an alias gives another; else Name
	Key   string // the path of the key, such as env.secret or accessories.db.env.secret
	Place problem.Place
}

// A Host is one address that Kamal connects to.
type Host struct {
	Name      string
	Role      string // of the app, or ""
	Accessory string // or ""
	Place     problem.Place
}

// SSH is the ssh section.
type SSH struct {
	User, Port, Proxy, ProxyCommand, ForwardAgent, KeysOnly, ConfigFile Value
	Keys                                                                []Value
	KeyData                                                             bool // the section has key_data
}

// Builder is what the builder section says of where images are built.
type Builder struct {
	SSH, Remote, Driver, Local Value
}

// Registry is the registry section. Username and Password are literals only where
// deploy.yml has them as strings; secrets stand among Config.Uses.
type Registry struct {
	Server, Username Value
}

// Proxy is what the proxy section says of where the app answers.
type Proxy struct {
	Host  Value   // the first, where there are several
	Hosts []Value // all
	TLS   bool    // ssl is true, or has certificates
}

// URL is where the app answers, as far as deploy.yml says: "" where it has no host,
// or one that ERB decides.
func (p Proxy) URL() string {
	switch {
	case p.Host.Or("") == "":
		return ""
	case p.TLS:
		return "https://" + p.Host.Text
	}
	return "http://" + p.Host.Text
}

// Output is what of the output section copies the log elsewhere.
type Output struct {
	File, OTel *problem.Place // where set, and where
}

// Config is deploy.yml with the destination's file merged into it as Kamal
// merges: hashes key by key, lists and scalars replaced.
type Config struct {
	Files       []string // that were read, relative to the project as Kamal is given them
	Service     Value
	Image       Value
	SecretsPath Value
	HooksPath   Value
	SSH         SSH
	Builder     Builder
	Registry    Registry
	Proxy       Proxy
	Output      Output

	// RequireDestination is what require_destination says: Kamal then refuses to
	// run without one.
	RequireDestination bool
	// Missing are the keys without which Kamal refuses the configuration, so far
	// as they are known to be missing.
	Missing []string

	Roles       []string        // of servers, in the order of the file
	Accessories []string        // likewise
	Hosts       []Host          // without duplicates, in the order of the file
	Uses        []Use           // every place that names a secret, in the order of the file
	Clear       []Use           // every name that env.clear, or env by itself, gives a value in the clear
	Unknown     []problem.Place // ERB tags: what depends on them is not known here

	// Perhaps are places that name a secret where ERB leaves them in: they stand
	// between lines of a condition or a loop.
	Perhaps []Use
}

// ReadConfig reads deploy.yml and the destination's file beside it. What is
// missing or is no YAML is a problem with a hint, all of them told at once.
func ReadConfig(o ProjectOptions) (*Config, error) {
	name := o.ConfigFile
	if name == "" {
		name = DefaultConfigFile
	}
	names := []string{name}
	if o.Destination != "" {
		names = append(names, DestinationFile(name, o.Destination))
	}
	c := &Config{}
	var merged, opened *node
	var problems problem.List
	absent := false
	for i, name := range names {
		file, err := o.config(name)
		var unread *unreadable
		if errors.As(err, &unread) {
			if absent {
				continue // without the first file nobody knows what its destinations are
			}
			absent = i == 0
			problems = append(problems, missingConfig(o, name, i > 0, unread.err))
			continue
		}
		if err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		c.Files = append(c.Files, name)
		c.Unknown = append(c.Unknown, file.unknown...)
		merged = merge(merged, file.root)
		opened = merge(opened, file.opened)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	c.take(merged)
	c.Perhaps = c.between(opened)
	return c, nil
}

// between are the uses that a configuration has with every branch of its ERB taken,
// beside those that it has anyway.
func (c *Config) between(opened *node) []Use {
	if len(c.Unknown) == 0 {
		return nil
	}
	known := map[string]bool{}
	for _, u := range c.Uses {
		known[u.Name] = true
	}
	all := &Config{}
	all.take(opened)
	return slices.DeleteFunc(all.Uses, func(u Use) bool { return known[u.Name] })
}

// DestinationFile is the name of the destination's file beside the configuration
// file ("" is Kamal's own), as Ruby's Pathname#sub_ext makes it.
func DestinationFile(configFile, destination string) string {
	if configFile == "" {
		configFile = DefaultConfigFile
	}
	return strings.TrimSuffix(configFile, filepath.Ext(configFile)) + "." + destination + ".yml"
}

// inDir is the path of a file that Kamal is given relative to its directory.
func inDir(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}

func missingConfig(o ProjectOptions, name string, destination bool, err error) *problem.Problem {
	if !errors.Is(err, fs.ErrNotExist) {
		p := problem.Newf("%s cannot be read: %v", name, errors.Unwrap(err)).About(problem.UnreadableFile)
		p.Cause = err
		return p
	}
	var p *problem.Problem
	switch {
	case destination:
		p = problem.Newf("%s is not there: there is no destination %s", name, o.Destination).About(problem.UnreadableFile)
		base := o.ConfigFile
		if base == "" {
			base = DefaultConfigFile
		}
		if found := Destinations(o.Dir, base); len(found) > 0 {
			p.Hint = "the destinations of this project are " + strings.Join(found, ", ")
		} else {
			p.Hint = "this project has no destinations: leave --destination away, or add the file"
		}
	case o.ConfigFile != "":
		p = problem.Newf("%s is not there", name).About(problem.UnreadableFile)
		p.Hint = "--config-file is relative to the project's directory (--working-directory)"
		if _, err := os.Stat(inDir(o.Dir, DefaultConfigFile)); err == nil {
			p.Hint = "did you mean " + DefaultConfigFile + "? " + p.Hint
		}
	default:
		p = problem.Newf("%s is not there: this is not the directory of a project that deploys with Kamal", name).About(problem.UnreadableFile)
		p.Hint = "check the repository out first, or name the project's directory with --working-directory, another file with --config-file; `kamal init` makes a new one"
	}
	p.Cause = err
	return p
}

// Destinations are the destinations that have a file beside the config file, in
// order.
func Destinations(dir, configFile string) []string {
	if configFile == "" {
		configFile = DefaultConfigFile
	}
	before, _ := strings.CutSuffix(DestinationFile(configFile, ""), ".yml") // with the dot
	entries, err := os.ReadDir(filepath.Dir(inDir(dir, configFile)))
	if err != nil {
		return nil
	}
	var found []string
	for _, entry := range entries {
		name, ok := strings.CutPrefix(entry.Name(), filepath.Base(before))
		if !ok {
			continue
		}
		if name, ok = strings.CutSuffix(name, ".yml"); ok && name != "" && !strings.Contains(name, ".") {
			found = append(found, name)
		}
	}
	return found
}

// take fills c from the merged tree.
func (c *Config) take(root *node) {
	c.Service = root.get("service").value()
	c.Image = root.get("image").value()
	c.SecretsPath = root.get("secrets_path").value()
	c.HooksPath = root.get("hooks_path").value()
	c.RequireDestination = root.get("require_destination").value().Or("") == "true"
	c.Missing = missingKeys(root)

	ssh := root.get("ssh")
	c.SSH = SSH{
		User: ssh.get("user").value(), Port: ssh.get("port").value(),
		Proxy: ssh.get("proxy").value(), ProxyCommand: ssh.get("proxy_command").value(),
		ForwardAgent: ssh.get("forward_agent").value(), KeysOnly: ssh.get("keys_only").value(),
		ConfigFile: ssh.get("config").value(), KeyData: ssh.get("key_data") != nil,
	}
	for _, key := range ssh.get("keys").list() {
		c.SSH.Keys = append(c.SSH.Keys, key.value())
	}
	builder := root.get("builder")
	c.Builder = Builder{
		SSH: builder.get("ssh").value(), Remote: builder.get("remote").value(),
		Driver: builder.get("driver").value(), Local: builder.get("local").value(),
	}
	registry := root.get("registry")
	c.Registry = Registry{Server: registry.get("server").value(), Username: registry.get("username").value()}
	for key, at := range map[string]**problem.Place{"file": &c.Output.File, "otel": &c.Output.OTel} {
		if e := root.get("output").entry(key); e != nil {
			*at = &e.key.place
		}
	}
	proxy := root.get("proxy")
	// lib/kamal/configuration/proxy.rb: hosts, else host, cut at its commas.
	c.Proxy.Host = proxy.get("host").value()
	for _, h := range proxy.get("hosts").list() {
		c.Proxy.Hosts = append(c.Proxy.Hosts, h.value())
	}
	if len(c.Proxy.Hosts) == 0 && c.Proxy.Host.Or("") != "" {
		for name := range strings.SplitSeq(c.Proxy.Host.Text, ",") {
			one := c.Proxy.Host
			one.Text = name
			c.Proxy.Hosts = append(c.Proxy.Hosts, one)
		}
	}
	if len(c.Proxy.Hosts) > 0 {
		c.Proxy.Host = c.Proxy.Hosts[0]
	}
	if ssl := proxy.get("ssl"); ssl != nil {
		c.Proxy.TLS = ssl.kind == mapping || ssl.value().Or("") == "true"
	}
	c.takeHosts(root)
	c.takeUses(root)
}

// missingKeys are the keys of which Kamal says "Missing required configuration"
// (lib/kamal/configuration.rb, ensure_required_keys_present).
func missingKeys(root *node) []string {
	var missing []string
	for _, key := range []string{"service", "image", "registry"} {
		n := root.get(key)
		if n == nil || n.kind == null || n.kind == scalar && n.text == "" && !n.erb {
			missing = append(missing, key)
		}
	}
	// A registry on localhost needs no image: it is the service's name.
	if server := root.get("registry").get("server").value(); server.ERB || strings.HasPrefix(server.Text, "localhost") {
		missing = slices.DeleteFunc(missing, func(key string) bool { return key == "image" })
	}
	if root.get("servers") == nil && root.get("accessories") == nil {
		missing = append(missing, "servers")
	}
	return missing
}

func (c *Config) takeHosts(root *node) {
	seen := map[string]bool{}
	add := func(n *node, role, accessory string) {
		host := n
		if n != nil && n.kind == mapping && len(n.entries) > 0 {
			host = n.entries[0].key // a host with its tags
		}
		v := host.value()
		if v.Known && v.Text != "" && !seen[v.Text] {
			seen[v.Text] = true
			c.Hosts = append(c.Hosts, Host{Name: v.Text, Role: role, Accessory: accessory, Place: v.Place})
		}
	}
	servers := root.get("servers")
	for i, host := range servers.list() {
		if i == 0 {
			c.Roles = []string{"web"}
		}
		add(host, "web", "")
	}
	for _, role := range servers.pairs() {
		c.Roles = append(c.Roles, role.key.text)
		hosts := role.value.list()
		if role.value.kind == mapping {
			hosts = role.value.get("hosts").list()
		}
		for _, host := range hosts {
			add(host, role.key.text, "")
		}
	}
	for _, accessory := range root.get("accessories").pairs() {
		c.Accessories = append(c.Accessories, accessory.key.text)
		if host := accessory.value.get("host"); host != nil {
			add(host, "", accessory.key.text)
		}
		for _, host := range accessory.value.get("hosts").list() {
			add(host, "", accessory.key.text)
		}
	}
}

// CopyProblems tell that output.file and output.otel copy what hooks print past the
// masker.
func (o Output) CopyProblems() problem.List {
	var problems problem.List
	for _, c := range []struct {
		key string
		at  *problem.Place
	}{{"file", o.File}, {"otel", o.OTel}} {
		if c.at != nil {
			problems = append(problems, CopyProblem(c.key).At(c.at.File, c.at.Line, c.at.Column))
		}
	}
	return problems
}

// CopyProblem tells that a key of deploy.yml's output copies what hooks print past the
// masker.
func CopyProblem(key string) *problem.Problem {
	p := problem.Newf("output.%s copies what hooks print to another place, where no secret is masked", key)
	p.Hint = "take output." + key + " out of deploy.yml, or allow it with --allow-output-copies"
	return p
}
