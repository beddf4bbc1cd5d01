package cli

import "time"

// The options that several commands have, each declared once. What a command says
// of one in its own words stands where the command takes it, as set:"NAME=WORDS".
//
// The tags name, short, placeholder, enum, default and help are kong's. Ours are
//
//	input     the name as an input of the action, where it is not the flag's
//	given     what the action gives where the workflow says nothing
//	note      what more there is to say of it in action.yml and docs/reference.md
//	file      whether it may stand in .kamal/kamal-op.yml: yes, or confirmed where it
//	          weakens a check, and counts from there with --trust-project-file only
//	usage     a command's arguments in its line of usage, where kong cannot say them
//	complete  what a shell completes its value with: destination, service, host, role,
//	          secret, accessory, file or directory
type (
	destinationFlag struct {
		Destination string `name:"destination" short:"d" help:"${destination=Kamal's destination (config/deploy.DESTINATION.yml).}" complete:"destination"`
	}
	configFileFlag struct {
		ConfigFile string `name:"config-file" short:"c" placeholder:"FILE" help:"${config_file=Kamal's configuration file (default config/deploy.yml).}" complete:"file"`
	}
	directoryFlag struct {
		WorkingDirectory string `name:"working-directory" placeholder:"DIR" help:"${directory=Directory of the project (default the current one).}" complete:"directory"`
	}
	kamalFlag struct {
		Kamal string `name:"kamal" placeholder:"PATH" help:"${kamal=Kamal to run (default bin/kamal of the project if it works, else kamal on the PATH).}" complete:"file"`
	}
	versionFlag struct {
		Version string `name:"version" placeholder:"VERSION" help:"${version=Version of the app to run the command for (Kamal's option; ours is the command version).}" note:"For rollback, as an input: the version to go back to."`
	}
	hostsFlag struct {
		Hosts string `name:"hosts" placeholder:"HOSTS" help:"${hosts=Run on these hosts only, separated by commas.}" complete:"host"`
	}
	rolesFlag struct {
		Roles string `name:"roles" placeholder:"ROLES" help:"${roles=Run on these roles only, separated by commas.}" complete:"role"`
	}
	envFlag struct {
		Env lines `name:"env" placeholder:"NAME=VALUE" help:"${variables=Variable that the project's configuration reads, beside what is in the environment; not for a secret. Repeatable.}"`
	}
	hostKeysFlag struct {
		HostKeys lines `name:"host-keys" placeholder:"op://VAULT/ITEM/FIELD|env://NAME|LINE" help:"Host keys of the servers, the only ones that are accepted${host_keys=: a secret reference, a variable, or lines as kamal-op host-keys prints them (known_hosts, HOST KEY, HOST SHA256:…)}. Repeatable." note:"They hold for Kamal, Docker, and the ssh, scp, sftp, rsync and git of hooks: one that fetches from GitHub needs a line for github.com. Without it they are accepted on first sight, and the log says which they were." file:"yes"`
	}
	opScopeFlag struct {
		OpScope string `name:"op-scope" enum:"named,any" default:"named" help:"Vaults that op may ask in .kamal/secrets${op_scope= and hooks}: those that the project and the options name, or any that the credentials see." file:"confirmed"`
	}
	reportFormatFlag struct {
		Format string `name:"format" enum:"text,json" default:"text" help:"Output: text or json."`
	}
	lockFlags struct {
		StaleLock string        `name:"stale-lock" enum:"release,fail" default:"release" help:"What to do with the deploy lock of a run of this repository that GitHub says is over: release it and go on, or fail." file:"yes"`
		LockWait  time.Duration `name:"lock-wait" placeholder:"DURATION" help:"How long to wait for a deploy lock that another holds, such as 15m (default: not at all)." file:"yes"`
		JobID     int64         `name:"job-id" placeholder:"NUMBER" help:"Number of this job on GitHub (job.check_run_id): with it another run can tell exactly when this job is over." given:"${{ job.check_run_id }}"`
	}
	checkFlag struct {
		Check string `name:"check" enum:"error,warn,off" default:"error" help:"What to do where the places a secret must be named in do not agree: stop what would break the deploy or empty a secret, warn, or not look." file:"confirmed"`
	}
	checkHostsFlag struct {
		CheckHosts string `name:"check-hosts" enum:"on,off" default:"on" help:"Log in to every host before anything is built or changed, and tell what stands in the way of each." file:"confirmed"`
	}
	dryChangeFlag struct {
		DryRun bool `name:"dry-run" short:"n" help:"${dry_run=Show what would change, and write nothing.}"`
	}
	changesJSONFlag struct {
		JSON bool `name:"json" help:"Tell what is changed and what is left to do as JSON."`
	}
)
