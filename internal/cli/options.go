package cli

import (
	"maps"
	"strings"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/deploy"
	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// credentialFlags say how to ask 1Password, beside the tokens in the environment.
type credentialFlags struct {
	ConnectHost      string `name:"connect-host" placeholder:"URL" help:"1Password Connect server to read from, with its scheme (also OP_CONNECT_HOST)." note:"In the action it is reached from the container that the action runs in. Where both kinds of credentials are given, Connect is used, and a notice says so." file:"confirmed"`
	ConnectTokenFile string `name:"connect-token-file" placeholder:"FILE" help:"File that holds the Connect token, readable by its owner alone (also OP_CONNECT_TOKEN_FILE)." complete:"file" note:"The action's container sees the workspace alone, so the file must lie there."`

	ConnectProxy string `name:"connect-proxy" placeholder:"URL" help:"Proxy to reach the Connect server through (default HTTPS_PROXY for https://, and none for http://, since a proxy could read the token there)."`
	ConnectCA    string `name:"connect-ca-file" placeholder:"FILE" help:"Certificates to trust beside the system's, for a Connect server of one's own (PEM)." complete:"file"`
	CoreCache    string `name:"core-cache" placeholder:"DIR" help:"Directory that kamal-op cache warm has made, in place of the user's own: a service account's run starts two to three CPU seconds sooner." complete:"directory" note:"The published image carries its own."`
	NoCoreCache  bool   `name:"no-core-cache" help:"Keep no compiled core in the user's cache directory, and take none from there."`

	TrustProjectFile bool `name:"trust-project-file" help:"Let .kamal/kamal-op.yml say what weakens a check or names another server, too, such as check, public and connect-host."`
}

// accessFlags say where the secrets are, and which of them is the SSH key. Tokens
// have no flag: a command line can be read by every user of the machine.
type accessFlags struct {
	credentialFlags

	SSHKey           lines  `name:"ssh-key" aliases:"ssh-keys" placeholder:"op://VAULT/ITEM[/FIELD]|env://NAME" help:"SSH key to log in to the servers with. An item without a field means its private key; env://NAME is a variable that an earlier step has loaded it into. Repeatable." note:"A private key is that of an SSH Key item, else the field SSH_KEY." file:"yes"`
	SSHCertificate   lines  `name:"ssh-certificate" aliases:"ssh-certificates" placeholder:"op://VAULT/ITEM/FIELD|env://NAME|LINE" help:"SSH certificate of a key, where the servers trust an authority: a secret reference, a variable, or the line of a -cert.pub file. One in the key's item is found without. Repeatable." note:"The field there is SSH_CERTIFICATE or certificate." file:"yes"`
	SSHKeyPassphrase string `name:"ssh-key-passphrase" placeholder:"op://VAULT/ITEM/FIELD|env://NAME" help:"Passphrase of the keys." file:"yes"`
}

// vaultFlags say which secrets are wanted, and what for.
type vaultFlags struct {
	accessFlags

	SSHUser      lines `name:"ssh-user" placeholder:"USER" help:"User that the keys may log in as, beside those that deploy.yml names. Repeatable." note:"The agent refuses all others." file:"yes"`
	ForwardAgent bool  `name:"forward-agent" help:"Let servers use the key through the agent, for as long as the run lives." file:"confirmed"`
	AllowAnyPeer bool  `name:"allow-any-peer" help:"Let processes of this user that the run has not started use its sockets: op's, and the agent's. For a Kamal or a command in a container that has the run's directory mounted." file:"confirmed"`

	Secret      lines `name:"secret" aliases:"secrets" placeholder:"NAME=op://VAULT/ITEM/FIELD|env://VARIABLE" help:"Secret to hand to the command under NAME: from 1Password, or what an earlier step has loaded into VARIABLE. Repeatable." input:"secrets" note:"op://VAULT/ITEM alone declares every field of the item under its label. Kamal has each under its name: .kamal/secrets needs no line for it, or holds NAME=$NAME." file:"yes"`
	Environment lines `name:"environment" placeholder:"ID" help:"1Password Environment, by its id: all of its variables are handed over (service account only). Repeatable." file:"yes"`
	Public      lines `name:"public" placeholder:"NAME" help:"Declared name whose value is no secret: it is passed on and not masked. Repeatable." complete:"secret" file:"confirmed"`
	AllowEmpty  lines `name:"allow-empty" placeholder:"NAME" help:"Declared name whose value may be empty. Repeatable." complete:"secret" note:"Any other empty value stops the run before it begins." file:"confirmed"`
	AllowName   lines `name:"allow-name" placeholder:"NAME" help:"Name of a declared secret, such as PATH or BASH_ENV, that changes what programs run, and is refused otherwise. Repeatable."  file:"confirmed"`

	AllowReference lines `name:"allow-reference" placeholder:"NAME" help:"Name whose value may be a secret reference (op://…), for an app that resolves it itself. Repeatable." complete:"secret" note:"A reference of any other, which nobody has resolved, stops the run." file:"confirmed"`
}

// projectFlags are the options of Kamal that every command of the main job has,
// under Kamal's own names, and where the project and its Kamal are.
type projectFlags struct {
	destinationFlag
	configFileFlag
	versionFlag
	hostsFlag
	rolesFlag
	kamalFlag
	directoryFlag

	envFlag

	lockFlags

	checkFlag
	hostKeysFlag
	checkHostsFlag
	opScopeFlag
	exactFlag
	broker.Choices
}

// declarations are the declared secrets in the order in which they were given.
// Every line that is not one is a problem, all of them together.
func (f vaultFlags) declarations(read variableReader) ([]onepassword.Declaration, error) {
	public, err := nameSet("public", f.Public)
	if err != nil {
		return nil, err
	}
	empty, err := nameSet("allow-empty", f.AllowEmpty)
	if err != nil {
		return nil, err
	}
	if _, err := nameSet("allow-name", f.AllowName); err != nil {
		return nil, err
	}
	if _, err := nameSet("allow-reference", f.AllowReference); err != nil {
		return nil, err
	}
	var (
		declared []onepassword.Declaration
		problems problem.List
		first    = map[string]string{} // name: origin of its first declaration
	)
	for _, l := range f.Secret {
		d, err := onepassword.ParseDeclaration(l.text, l.origin)
		if err == nil && d.Variable != "" {
			d.Value, err = read(onepassword.VariableText(d.Variable), l.origin+": "+d.Name)
		}
		if err != nil {
			problems = append(problems, problem.Of(err)...)
			continue
		}
		if before, twice := first[d.Name]; twice && d.Name != "" {
			problems = append(problems, problem.Usagef(
				"remove one of the two", "%s: %s is declared twice, first by %s", l.origin, d.Name, before))
			continue
		}
		first[d.Name] = l.origin
		d.Public, d.AllowEmpty = public[d.Name], empty[d.Name]
		declared = append(declared, d)
	}
	for _, l := range f.Environment {
		declared = append(declared, onepassword.Declaration{Environment: l.text, Origin: l.origin})
	}
	return declared, problems.Err()
}

// keys are the SSH keys: their references, or what is loaded.
func (f vaultFlags) keys(read variableReader) ([]deploy.Value, error) {
	var (
		keys     []deploy.Value
		problems problem.List
	)
	for _, l := range f.SSHKey {
		if onepassword.IsVariable(l.text) {
			key, err := read(l.text, l.origin)
			if err != nil {
				problems = append(problems, problem.Of(err)...)
				continue
			}
			keys = append(keys, deploy.Value{Loaded: key})
			continue
		}
		ref, err := onepassword.ParseReference(l.text)
		if err != nil {
			for _, p := range problem.Of(err) {
				q := *p
				q.Message = l.origin + ": " + p.Message
				q.Status = problem.Usage
				if strings.Contains(l.text, "PRIVATE KEY") {
					q.Message = l.origin + ": is a key, not a secret reference"
					q.Hint = "keep the key in 1Password and give its reference, op://Vault/Item; what an earlier step has loaded is env://VARIABLE"
				}
				problems = append(problems, &q)
			}
			continue
		}
		keys = append(keys, deploy.Value{Ref: ref})
	}
	return keys, problems.Err()
}

// passphrase is that of the SSH keys.
func (f vaultFlags) passphrase(read variableReader) (v deploy.Value, err error) {
	const origin = "--ssh-key-passphrase"
	text := f.SSHKeyPassphrase
	switch {
	case text == "":
	case onepassword.IsVariable(text):
		v.Loaded, err = read(text, origin)
	default:
		if v.Ref, err = onepassword.ParseReference(text); err == nil && v.Ref.WholeItem() {
			err = problem.Usagef("name the field too: "+text+"/password", "%s names an item, not a field", origin)
		}
	}
	return v, err
}

// certificates are those of the SSH keys that are given beside their items.
func (f vaultFlags) certificates(read variableReader) (certificates []deploy.Certificate, err error) {
	var problems problem.List
	for _, l := range f.SSHCertificate {
		c := deploy.Certificate{Text: l.text, From: l.origin}
		if onepassword.IsVariable(l.text) {
			text, err := read(l.text, l.origin)
			if err != nil {
				problems = append(problems, problem.Of(err)...)
				continue
			}
			c.Text, c.From = text.Reveal(), l.text
		}
		if strings.HasPrefix(l.text, "op://") {
			if c.Ref, err = onepassword.ParseReference(l.text); err == nil && c.Ref.WholeItem() {
				err = problem.Usagef("name the field too: "+l.text+"/certificate", "%s names an item, not a field", l.origin)
			}
			if err != nil {
				problems = append(problems, problem.Of(err)...)
				continue
			}
		}
		certificates = append(certificates, c)
	}
	return certificates, problems.Err()
}

// nameSet is the set of the names given by an option.
func nameSet(option string, l lines) (map[string]bool, error) {
	set := map[string]bool{}
	for _, name := range l.names() {
		if !onepassword.IsEnvironmentName(name) {
			return nil, problem.Usagef("give the name that the secret is declared under, without its value",
				"--%s: %q cannot be the name of a secret", option, name)
		}
		set[name] = true
	}
	return set, nil
}

// withEnv puts what --env says into the environment that Kamal and its ERB get.
func (a *app) withEnv(given lines) error {
	var problems problem.List
	for _, l := range given {
		name, value, ok := strings.Cut(l.text, "=")
		switch {
		case !ok || !onepassword.IsEnvironmentName(name):
			problems = append(problems, problem.Usagef("write NAME=VALUE", "%s: is no variable with its value", l.origin))
			continue
		case kamal.IsCredential(name):
			problems = append(problems, problem.Usagef("set it in the environment: a command line can be read by every user of the machine", "%s: %s is kamal-op's own", l.origin, name))
			continue
		case kamal.ReservedName(name) && strings.HasPrefix(l.origin, settings.String()+" "):
			// A plugin is trusted with secrets since its settings have it run nothing.
			problems = append(problems, problem.Usagef("leave it away, or give it another name", "%s: %s is a variable that changes what programs run: a plugin's settings name no program", l.origin, name))
			continue
		case strings.HasPrefix(value, "op://"), onepassword.IsVariable(value):
			scheme, _, _ := strings.Cut(value, "//")
			problems = append(problems, problem.Usagef("declare it as a secret: --secret "+name+"="+scheme+"//…", "%s: the value of %s is a secret reference", l.origin, name))
			continue
		}
		a.Env = environ.List(a.Env).With(name, value)
		a.env = maps.Clone(a.env)
		a.env[name] = value
	}
	return problems.Err()
}
