package cli

// The options that several commands have, each declared once. What a command says
// of one in its own words stands where the command takes it, as set:"NAME=WORDS".
//
// The tags are kong's.
type (
	destinationFlag struct {
		Destination string `name:"destination" short:"d" help:"${destination=Kamal's destination (config/deploy.DESTINATION.yml).}"`
	}
	configFileFlag struct {
		ConfigFile string `name:"config-file" short:"c" placeholder:"FILE" help:"${config_file=Kamal's configuration file (default config/deploy.yml).}"`
	}
	directoryFlag struct {
		WorkingDirectory string `name:"working-directory" placeholder:"DIR" help:"${directory=Directory of the project (default the current one).}"`
	}
	kamalFlag struct {
		Kamal string `name:"kamal" placeholder:"PATH" help:"${kamal=Kamal to run (default bin/kamal of the project if it works, else kamal on the PATH).}"`
	}
	hostsFlag struct {
		Hosts string `name:"hosts" placeholder:"HOSTS" help:"${hosts=Run on these hosts only, separated by commas.}"`
	}
	rolesFlag struct {
		Roles string `name:"roles" placeholder:"ROLES" help:"${roles=Run on these roles only, separated by commas.}"`
	}
	envFlag struct {
		Env lines `name:"env" placeholder:"NAME=VALUE" help:"${variables=Variable that the project's configuration reads, beside what is in the environment; not for a secret. Repeatable.}"`
	}
	hostKeysFlag struct {
		HostKeys lines `name:"host-keys" placeholder:"op://VAULT/ITEM/FIELD|LINE" help:"Host keys of the servers, the only ones that are accepted${host_keys=: a secret reference, or lines as kamal-op host-keys prints them (known_hosts, HOST KEY, HOST SHA256:…)}. Repeatable."`
	}
	opScopeFlag struct {
		OpScope string `name:"op-scope" enum:"named,any" default:"named" help:"Vaults that op may ask in .kamal/secrets${op_scope= and hooks}: those that the project and the options name, or any that the credentials see."`
	}
	reportFormatFlag struct {
		Format string `name:"format" enum:"text,json" default:"text" help:"Output: text or json."`
	}
	dryChangeFlag struct {
		DryRun bool `name:"dry-run" short:"n" help:"${dry_run=Show what would change, and write nothing.}"`
	}
	changesJSONFlag struct {
		JSON bool `name:"json" help:"Tell what is changed and what is left to do as JSON."`
	}
)
