package kamal

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// A LockPlace is where a Kamal takes its deploy lock, and what another Kamal needs
// to get there.
type LockPlace struct {
	Host        string `json:"host"`        // the primary host of this command, as deploy.yml has it
	Dir         string `json:"dir"`         // of the lock, from the login's home
	Project     string `json:"project"`     // Kamal's working directory
	ConfigFile  string `json:"config_file"` // absolute
	Destination string `json:"destination"` // "" is none
}

// ReleaseArgs are the arguments of a Kamal that is to release the lock at a place.
// No hook runs: pre-connect may be what the run was cancelled in.
func (p LockPlace) ReleaseArgs() []string {
	args := []string{"lock", "release", "--skip-hooks", "--hosts=" + p.Host, "--config-file=" + p.ConfigFile}
	if p.Destination != "" {
		args = append(args, "--destination="+p.Destination)
	}
	return args
}

// What the commands for the server print: the login's own shell may print before
// them whatever it likes.
const (
	lookedAt   = "kamal-op lock held:"
	releasedAs = "kamal-op lock: "
)

// LookCommand is the command that reads a lock on the server: see LookedAt.
func LookCommand(dir string) string { return LookScript() + " " + shellWord(dir) }

// LookScript is LookCommand less its last word, the lock's directory, for who knows
// that better.
func LookScript() string {
	return shellCommand(`[ -d "$1" ] || exit 0; echo "` + lookedAt + `"; base64 -d <"$1/details" 2>/dev/null; true`)
}

// ParseLook is what LookCommand printed: the details, or that there is no lock.
func ParseLook(output string) (details string, held bool) {
	_, details, held = strings.Cut("\n"+output, "\n"+lookedAt+"\n")
	if !held { // a lock without details: the line may have lost its end
		held = strings.HasSuffix(strings.TrimSpace("\n"+output), lookedAt)
	}
	return details, held
}

// A Release is how a release by nonce ended.
type Release string

// The ends of a release.
const (
	Released     Release = "released" // it was ours, and is gone
	ReleasedGone Release = "gone"     // there was no lock
	ReleasedNot  Release = "other"    // the lock is another's, and was left
	ReleaseFails Release = "failed"   // it cannot be removed
)

var releaseLine = lazy.Regexp(`(?m)^` + releasedAs + `(released|gone|other|failed)\r?$`)

// ReleaseCommand is the command that removes the lock in dir on the server if its
// mark has this nonce, and does nothing otherwise. A look alone could be out of
// date when it removes: it moves the lock aside, which is one step, looks again,
// and gives another's back.
func ReleaseCommand(dir, nonce string) string {
	if !nonceText().MatchString(nonce) {
		nonce = "" // matches nothing: every mark has one
	}
	return shellCommand(`ours() { base64 -d <"$1/details" 2>/dev/null | grep "^`+markPrefix+`" | grep -qF "\"nonce\":\"$2\""; }; `+
		`say() { echo "`+releasedAs+`$1"; exit 0; }; `+
		`[ -n "$2" ] || say other; [ -d "$1" ] || say gone; ours "$1" "$2" || say other; `+
		`aside="$1.$2"; rm -rf "$aside"; if ! mv "$1" "$aside" 2>/dev/null; then [ -d "$1" ] && say failed; say gone; fi; `+
		`ours "$aside" "$2" || { [ -e "$1" ] || mv "$aside" "$1"; say other; }; `+
		`rm -rf "$aside"; [ -e "$aside" ] && say failed; say released`, dir, nonce)
}

// ParseRelease is what ReleaseCommand printed; not ok where it was not run.
func ParseRelease(output string) (r Release, ok bool) {
	found := releaseLine().FindAllStringSubmatch(output, -1)
	if len(found) == 0 {
		return "", false
	}
	return Release(found[len(found)-1][1]), true
}

// shellCommand is a line for any login shell that runs a POSIX script, itself one
// line, with arguments.
func shellCommand(script string, args ...string) string {
	words := []string{"sh", "-c", shellWord(script), "kamal-op"}
	for _, arg := range args {
		words = append(words, shellWord(arg))
	}
	return strings.Join(words, " ")
}

// shellWord is text as one word of a shell's, nothing in it expanded.
func shellWord(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
