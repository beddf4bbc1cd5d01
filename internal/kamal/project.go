package kamal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// ProjectOptions says which project, and which of its destinations.
type ProjectOptions struct {
	Dir         string // the directory Kamal runs in; "" is the current one
	ConfigFile  string // --config-file; "" is config/deploy.yml
	Destination string // --destination; "" for none

	// Env are NAME=value entries that commands in the secrets files may name
	// (--from $VAULT/Item); nil where they are not known.
	Env []string

	// Cache holds files that are read for one destination after another; nil reads
	// each anew. Dir and Env must then be the same for all.
	Cache *Cache
}

// A Cache holds files of a project as they were read. It is for one goroutine.
type Cache struct {
	configs map[string]*configFile
	secrets map[string]*SecretsFile
}

// A configFile is one YAML file.
type configFile struct {
	root    *node
	opened  *node // with every branch of its ERB taken
	unknown []problem.Place
}

// config is a YAML file, read once.
func (o ProjectOptions) config(name string) (*configFile, error) {
	if o.Cache != nil && o.Cache.configs[name] != nil {
		return o.Cache.configs[name], nil
	}
	text, err := readBounded(inDir(o.Dir, name), maxConfigFile)
	if err != nil {
		return nil, &readError{err}
	}
	root, unknown, err := parseYAML(name, text)
	if err != nil {
		return nil, err
	}
	f := &configFile{root: root, opened: root, unknown: unknown}
	if len(unknown) > 0 {
		if opened, _, err := parsePlain(name, openERB(string(text)), unknown); err == nil && opened != nil {
			f.opened = opened // else the branches exclude one another
		}
	}
	if o.Cache != nil {
		if o.Cache.configs == nil {
			o.Cache.configs = map[string]*configFile{}
		}
		o.Cache.configs[name] = f
	}
	return f, nil
}

// maxConfigFile is far beyond every configuration that a person writes.
const maxConfigFile = 1 << 20

// readBounded reads a file of at most max bytes. A longer one is EFBIG.
func readBounded(path string, most int64) ([]byte, error) {
	// Opening a pipe that nobody writes to would wait for ever, signals or not.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was read only
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is no regular file")}
	}
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = &fs.PathError{Op: "read", Path: path, Err: syscall.EFBIG}
	}
	return text, err
}

// readError is that a file cannot be read, other than what stands in it.
type readError struct{ err error }

func (u *readError) Error() string { return u.err.Error() }

// secretsFile is ReadSecretsFile, once.
func (o ProjectOptions) secretsFile(name string) (*SecretsFile, error) {
	if o.Cache != nil && o.Cache.secrets[name] != nil {
		return o.Cache.secrets[name], nil
	}
	f, err := ReadSecretsFile(o.Dir, name, o.Env)
	if err == nil && o.Cache != nil {
		if o.Cache.secrets == nil {
			o.Cache.secrets = map[string]*SecretsFile{}
		}
		o.Cache.secrets[name] = f
	}
	return f, err
}

// A Project is what the files of a project say, for one destination.
type Project struct {
	ProjectOptions
	Config  *Config
	Secrets *Secrets
}

// OpenProject reads deploy.yml, the destination's file beside it and the secrets
// files. A missing deploy.yml, a missing destination file and files that are no
// YAML are problems with a hint and a place; all of them are reported at once.
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
