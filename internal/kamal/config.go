package kamal

import (
	"errors"
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
	Accessory bool // no role of the app is on it
}

// SSH is the ssh section.
type SSH struct {
	User, Port, Proxy, ProxyCommand, KeysOnly, ConfigFile Value
	Keys                                                  []Value
}

// Builder is what the builder section says of where images are built.
type Builder struct{ Remote Value }

// Registry is the registry section. Its secrets stand among Config.Uses.
type Registry struct{ Server Value }

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
	SecretsPath Value
	HooksPath   Value
	SSH         SSH
	Builder     Builder
	Registry    Registry
	Proxy       Proxy
	Output      Output

	// RequireDestination is what require_destination says: Kamal then refuses to
	// run without one. MayRequire says that ERB decides it.
	RequireDestination, MayRequire bool
	// Missing are the keys without which Kamal refuses the configuration, so far
	// as they are known to be missing.
	Missing []string

	Roles       []string        // of servers, in the order of the file
	Accessories []string        // likewise
	Hosts       []Host          // without duplicates, in the order of the file
	Uses        []Use           // every place that names a secret, in the order of the file
	Clear       []Use           // every name that env.clear, or env by itself, gives a value in the clear
	Unknown     []problem.Place // ERB tags: what depends on them is not known here

	// Refused is why Kamal would not deploy it, where Kamal was asked.
	Refused *problem.Problem

	// Perhaps are places that name a secret where ERB leaves them in: they stand
	// between lines of a condition or a loop.
	Perhaps []Use
}

// HooksDir is where the hooks of a project in dir are.
func (c *Config) HooksDir(dir string) string { return inDir(dir, c.HooksPath.Or(".kamal/hooks")) }

// ReadConfig reads deploy.yml and the destination's file beside it. What is
// missing or is no YAML is a problem with a hint, all of them reported at once.
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
		var unread *readError
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

// take fills c from the merged tree.
func (c *Config) take(root *node) {
	c.Service = root.get("service").value()
	c.SecretsPath = root.get("secrets_path").value()
	c.HooksPath = root.get("hooks_path").value()
	required := root.get("require_destination").value()
	c.MayRequire = required.ERB
	c.RequireDestination = slices.Contains([]string{"true", "yes", "on"}, strings.ToLower(required.Or(""))) // as YAML 1.1 has it
	c.Missing = missingKeys(root)

	ssh := root.get("ssh")
	c.SSH = SSH{
		User: ssh.get("user").value(), Port: ssh.get("port").value(),
		Proxy: ssh.get("proxy").value(), ProxyCommand: ssh.get("proxy_command").value(),
		KeysOnly: ssh.get("keys_only").value(), ConfigFile: ssh.get("config").value(),
	}
	for _, key := range ssh.get("keys").list() {
		c.SSH.Keys = append(c.SSH.Keys, key.value())
	}
	c.Builder.Remote = root.get("builder").get("remote").value()
	c.Registry.Server = root.get("registry").get("server").value()
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

// missingKeys are the keys without which Kamal refuses the configuration
// (lib/kamal/configuration.rb, ensure_required_keys_present, and its validators).
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
	return append(missing, missingParts(root)...)
}

// missingParts are the keys that sections of the configuration lack.
func missingParts(root *node) (missing []string) {
	without := func(section string, keys ...string) {
		n := root.get(section)
		if n == nil && section != "builder" || n != nil && (n.erb || n.kind == null) {
			return
		}
		for _, key := range keys {
			if found := n.get(key); found != nil && (found.erb || found.kind != null && (found.kind != scalar || found.text != "")) {
				return
			}
		}
		missing = append(missing, section+"."+keys[0])
	}
	if registry := root.get("registry"); registry != nil && !registry.get("server").value().ERB && !strings.HasPrefix(registry.get("server").value().Text, "localhost:") {
		without("registry", "username")
		without("registry", "password")
	}
	without("builder", "arch")
	if proxy := root.get("proxy"); proxy.get("ssl").value().Or("") == "true" {
		without("proxy", "host", "hosts")
	}
	for _, accessory := range root.get("accessories").pairs() {
		placed := func(key string) bool { return accessory.value.entry(key) != nil }
		if n := accessory.value; n.kind == mapping && len(n.pairs()) == len(n.entries) && !slices.ContainsFunc([]string{"host", "hosts", "role", "roles", "tag", "tags"}, placed) {
			missing = append(missing, "accessories."+accessory.key.text+".host")
		}
	}
	servers, primary := root.get("servers"), root.get("primary_role").value()
	if role := primary.Or("web"); servers != nil && servers.kind == mapping && len(servers.pairs()) == len(servers.entries) && !primary.ERB && servers.get(role) == nil {
		missing = append(missing, "servers."+role)
	}
	return missing
}

func (c *Config) takeHosts(root *node) {
	seen := map[string]bool{}
	add := func(n *node, accessory bool) {
		host := n
		if n != nil && n.kind == mapping && len(n.entries) > 0 {
			host = n.entries[0].key // a host with its tags
		}
		v := host.value()
		if v.Known && v.Text != "" && !seen[v.Text] {
			seen[v.Text] = true
			c.Hosts = append(c.Hosts, Host{Name: v.Text, Accessory: accessory})
		}
	}
	servers := root.get("servers")
	for i, host := range servers.list() {
		if i == 0 {
			c.Roles = []string{"web"}
		}
		add(host, false)
	}
	for _, role := range servers.pairs() {
		c.Roles = append(c.Roles, role.key.text)
		hosts := role.value.list()
		if role.value.kind == mapping {
			hosts = role.value.get("hosts").list()
		}
		for _, host := range hosts {
			add(host, false)
		}
	}
	for _, accessory := range root.get("accessories").pairs() {
		c.Accessories = append(c.Accessories, accessory.key.text)
		if host := accessory.value.get("host"); host != nil {
			add(host, true)
		}
		for _, host := range accessory.value.get("hosts").list() {
			add(host, true)
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
	p := problem.Newf("output.%s copies what hooks print to another place, where no secret is masked", key).About(problem.LogCopies)
	p.Hint = "take output." + key + " out of deploy.yml, or allow it with --allow-output-copies"
	return p
}
