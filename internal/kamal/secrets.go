package kamal

import (
	"errors"
	"io/fs"
	"os"
	"slices"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Kind is what a definition in a secrets file does, or one part of it.
type Kind int

// The kinds. A definition of several parts is Composed; a part never is.
const (
	Literal     Kind = iota // text, also none at all
	PassThrough             // $NAME
	Fetch                   // $(kamal secrets fetch …)
	Extract                 // $(kamal secrets extract …)
	Read                    // $(op read op://…)
	Command                 // any other $(…)
	Composed                // several of the above
)

var kindNames = [...]string{"literal", "pass-through", "fetch", "extract", "op read", "command", "composed"}

func (k Kind) String() string { return kindNames[k] }

// A Part is one piece of a value: text, a variable, or a command.
type Part struct {
	Kind Kind
	Text string // of a literal, unescaped; of a command, what stands between the parentheses
	Name string // of a pass-through, the variable; of an extract, the name asked for

	// Of a fetch.
	Adapter, Account, From string
	Names                  []string // as written; none means every field

	// Of an extract, the variable that holds what was fetched; "" where that is
	// not one variable alone.
	Source string

	// Variables are the names of the variables in a command, in order.
	Variables []string

	// Of a fetch and an op read with the adapter 1password: what is asked for.
	Wanted []Wanted

	// Known is false where words of the command depend on variables that are not
	// known here: then the fields above are as far as known.
	Known bool

	// Inline is true where Kamal runs the command in its own process.
	Inline bool
	// Shell is a shell's syntax in such a command, which Kamal takes for a word.
	Shell string
	Place problem.Place
}

// A Wanted is one field of an item that a secrets file asks 1Password for.
type Wanted struct {
	Vault, Item string
	Field       string // label, or section.label; "" is every field of the item
	Reference   string // as op read was given it; "" for a fetch
	Place       problem.Place
}

// A Definition is one NAME=value of a secrets file.
type Definition struct {
	Name  string
	Kind  Kind
	Parts []Part
	Quote byte // ' or " or 0
	Place problem.Place

	// Shell is what a shell would run or put in there and dotenv does not: it
	// arrives as it is written.
	Shell []Shell
}

// A Shell is one piece of a shell's syntax that dotenv does not know.
type Shell struct {
	Kind  ShellKind
	Text  string // how it begins, without a value: ${NAME:-, `, $(, $'
	Place problem.Place

	Doubtful bool // it may be meant as it is, or do no harm
}

// A ShellKind is which syntax of a shell it is.
type ShellKind int

// The kinds.
const (
	Expansion    ShellKind = iota // ${NAME:-…} and its like: dotenv knows $NAME and ${NAME}
	Backticks                     // `command`: dotenv knows $(command)
	NeverClosed                   // $( without its )
	Quoting                       // $'…' and $"…"
	Arithmetic                    // $((…)), which is taken for a command
	Operator                      // && and its like behind a value, which no shell reads
	OpenQuote                     // a quote before a value that does not close at its end
	Special                       // $?, $$ and its like: dotenv leaves them
	HereDocument                  // <<WORD and <<<
	Process                       // <(…) and >(…)
	Array                         // (…)
	Continuation                  // a backslash at the end of the line
	Brace                         // $NAME}: dotenv takes the brace for the variable's
	Expression                    // ${{ … }} of GitHub's
	ERB                           // <%= … %>, as in the .env.erb of Kamal 1
	Cut                           // a # in a word, which begins a comment
	Home                          // ~/…
	InnerQuotes                   // '…'\''…': dotenv takes off the outer quotes alone
	BashOnly                      // in a command: the sh that runs it need not know it
	CutQuote                      // in a command: a quote that does not close, as where a parenthesis between quotes ends it
)

// A SkippedLine is a line that dotenv takes nothing from.
type SkippedLine struct {
	problem.Place
	Words []string // what in it may be a name

	// Continues is the definition that the line looks like the rest of, or "".
	Continues string
	// Adds is the definition that the line is to add to, NAME+=value, or "".
	Adds string
	// Decides tells that the line is to decide whether others hold: if, case, for.
	Decides bool
	// Function is the function that the line begins to define, or "".
	Function string
}

// A SecretsFile is one file, parsed as dotenv parses it and never executed.
type SecretsFile struct {
	Path        string // as Kamal names it, relative to the project
	Definitions []Definition
	Ignored     []SkippedLine   // lines that are neither a definition nor a comment: dotenv passes over them silently
	Opaque      bool            // it is no regular file: what it defines is not known here
	Unset       []problem.Place // `export NAME` of a name that is not defined: dotenv stops there
}

// Secrets are the secrets files of one destination that exist, in the order in
// which Kamal reads them: a later one's definitions win.
type Secrets struct {
	Names []string // the files Kamal looks for, existing or not
	Files []*SecretsFile
}

// Lookup is the definition that holds for name: the last of the last file.
func (s *Secrets) Lookup(name string) (Definition, bool) {
	for i := len(s.Files) - 1; i >= 0; i-- {
		for j := len(s.Files[i].Definitions) - 1; j >= 0; j-- {
			if d := s.Files[i].Definitions[j]; d.Name == name {
				return d, true
			}
		}
	}
	return Definition{}, false
}

// Before is the definition of name that a later one in the same file sees, as the
// value of $name: the last before it.
func (s *Secrets) Before(later Definition, name string) (Definition, bool) {
	for _, file := range s.Files {
		if file.Path != later.Place.File {
			continue
		}
		for _, d := range slices.Backward(file.Definitions) {
			before := d.Place.Line < later.Place.Line ||
				d.Place.Line == later.Place.Line && d.Place.Column < later.Place.Column
			if before && d.Name == name {
				return d, true
			}
		}
	}
	return Definition{}, false
}

// Wanted is all that the files ask 1Password for, in their order.
func (s *Secrets) Wanted() []Wanted {
	var all []Wanted
	for _, file := range s.Files {
		for _, d := range file.Definitions {
			for _, p := range d.Parts {
				all = append(all, p.Wanted...)
			}
		}
	}
	return all
}

// SecretsFiles are the names of the secrets files of a destination ("" is none), in
// the order in which Kamal reads them; path is the secrets_path of deploy.yml.
func SecretsFiles(path, destination string) []string {
	specific := path
	if destination != "" {
		specific += "." + destination
	}
	return []string{path + "-common", specific}
}

// ReadSecrets reads the secrets files of a destination at path (the secrets_path
// of deploy.yml). Files that do not exist are passed over, as Kamal does.
func ReadSecrets(o ProjectOptions, path string) (*Secrets, error) {
	s := &Secrets{Names: SecretsFiles(path, o.Destination)}
	var problems problem.List
	for _, name := range s.Names {
		file, err := o.secretsFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			p := problem.Newf("%s cannot be read: %v", name, errors.Unwrap(err)).About(problem.UnreadableFile)
			p.Cause = err
			problems = append(problems, p)
			continue
		}
		s.Files = append(s.Files, file)
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// maxSecretsFile is far beyond every file that a person writes.
const maxSecretsFile = 1 << 20

// ReadSecretsFile reads one secrets file. name is relative to dir, or absolute,
// and stands in the places; env is as in ProjectOptions.
func ReadSecretsFile(dir, name string, env []string) (*SecretsFile, error) {
	path := inDir(dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		// A pipe that 1Password or a shell feeds gives its text to one reader, and
		// that is Kamal.
		return &SecretsFile{Path: name, Opaque: true}, nil
	}
	text, err := readBounded(path, maxSecretsFile)
	if err != nil {
		return nil, err
	}
	return ParseSecrets(name, string(text), env), nil
}
