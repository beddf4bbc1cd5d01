package kamal

import "github.com/kamal-op/kamal-op/internal/problem"

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
	Keys                                                               []Value
	KeyData                                                            bool // the section has key_data
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
	Output      Output
	Hosts       []Host          // without duplicates, in the order of the file
	Uses        []Use           // every place that names a secret, in the order of the file
	Unknown     []problem.Place // ERB tags: what depends on them is not known here
}

// ReadConfig reads deploy.yml and the destination's file beside it. What is
// missing or is no YAML is a problem with a hint.
func ReadConfig(o ProjectOptions) (*Config, error) {
	return &Config{}, nil
}
