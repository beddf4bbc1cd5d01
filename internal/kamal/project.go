package kamal

// ProjectOptions says which project, and which of its destinations.
type ProjectOptions struct {
	Dir         string // the directory Kamal runs in; "" is the current one
	ConfigFile  string // --config-file; "" is config/deploy.yml
	Destination string // --destination; "" for none

	// Env are NAME=value entries that commands in the secrets files may name
	// (--from $VAULT/Item); nil where they are not known.
	Env []string
}

// A Project is what the files of a project say, for one destination.
type Project struct {
	ProjectOptions
	Config  *Config
	Secrets *Secrets
}

// OpenProject reads deploy.yml, the destination's file beside it and the secrets
// files. A missing deploy.yml, a missing destination file and files that are no
// YAML are problems with a hint and a place; all of them are told at once.
// Nothing of the project is executed.
func OpenProject(o ProjectOptions) (*Project, error) {
	config, err := ReadConfig(o)
	if err != nil {
		return nil, err
	}
	secrets, err := ReadSecrets(o, config.SecretsPath.Or(DefaultSecretsPath))
	if err != nil {
		return nil, err
	}
	return &Project{ProjectOptions: o, Config: config, Secrets: secrets}, nil
}
