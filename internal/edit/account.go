package edit

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// accountOf is the account of a fetch from 1Password, as the file itself writes it:
// of the file, else of another that the destination reads. A variable that one file
// defines is not known in another.
func (e *editor) accountOf(d string, own *workFile) (string, bool) {
	return accountIn(append([]*workFile{own}, e.secretsFiles(d)...), own)
}

// accountIn is the first account that the fetches of files name, as it can be written
// into another of them.
func accountIn(files []*workFile, own *workFile) (string, bool) {
	for _, f := range files {
		for _, def := range f.secrets.File().Definitions {
			if def.Kind != kamal.Fetch || len(def.Parts) != 1 || !def.Parts[0].OnePassword() {
				continue
			}
			account, ok := f.secrets.Option(def, "--account", "")
			if !repeatable().MatchString(account) {
				account, ok = kamal.QuoteWord(def.Parts[0].Account)
			}
			if ok && (f == own || !strings.Contains(account, "$") || !definesVariable(f, account)) {
				return account, true
			}
		}
	}
	return "", false
}

// repeatable is a word of a command that means the same wherever it is written:
// text and variables, and no command.
var repeatable = lazy.Regexp(`^((?:[\w.@:/+-]|\$\{\w+\}|\$\w+)+|"(?:[\w .@:/+-]|\$\{\w+\}|\$\w+)+"|'[\w .@:/+-]+')$`)

// accountProblem is an account that no line of a secrets file can hold.
func accountProblem(account, file string) error {
	return problem.Usagef("give the account's address or its id, such as my.1password.com", "the account %q cannot be written into %s", account, file)
}
