package kamal

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// automaticLock is the message of a lock that a deploy takes; any other message
// was given by a person, with kamal lock acquire -m.
const automaticLock = "Automatic deploy lock"

// markPrefix begins the line of a lock's details that holds the mark.
const markPrefix = "kamal-op: "

// longestField is how much of one value of the environment a mark takes, in runes.
const longestField = 200

// A nonce is 128 bits and more, in characters that need no quoting anywhere.
var nonceText = lazy.Regexp(`^[A-Za-z0-9]{22,64}$`)

// A Mark says whose a deploy lock is. Kamal's preload writes it into the lock's
// details on the server; the nonce is what a release compares. It holds no secret:
// whoever may log in to the server can read it, and remove the lock as well.
type Mark struct {
	Nonce      string `json:"nonce"` // made once per run, 22 to 64 letters and digits
	System     string `json:"system,omitempty"`
	Server     string `json:"server,omitempty"` // https://github.com
	Repository string `json:"repository,omitempty"`
	Run        int64  `json:"run,omitempty"`
	Attempt    int64  `json:"attempt,omitempty"`
	Job        string `json:"job,omitempty"`    // the job's key in the workflow
	JobID      int64  `json:"job_id,omitempty"` // GitHub's job.check_run_id, GitLab's and CircleCI's number; 0 where it is not known
	UUID       string `json:"uuid,omitempty"`   // Buildkite's of the job, CircleCI's of the workflow
	Runner     string `json:"runner,omitempty"`
	Actor      string `json:"actor,omitempty"`
	Link       string `json:"link,omitempty"` // a page about the run

	Freeze *Freeze `json:"freeze,omitempty"` // nil for a deploy's lock
}

// Clean is the mark with texts that can stand in a line: they come from the
// environment, where anything may be.
func (m Mark) Clean() Mark {
	for _, field := range []*string{&m.System, &m.Server, &m.Repository, &m.Job, &m.UUID, &m.Runner, &m.Actor, &m.Link} {
		*field = cleanField(*field)
	}
	if m.Freeze != nil {
		m.Freeze = &Freeze{Why: cleanField(m.Freeze.Why), Until: m.Freeze.Until}
	}
	return m
}

// By is who holds the lock, for Kamal's own line "Locked by: … at …". It is empty
// where Kamal's own, the name that git knows, says more.
func (m Mark) By() string {
	m = m.Clean()
	if m.Repository == "" && m.Actor == "" {
		return ""
	}
	who := m.Actor
	if who == "" {
		who = m.System
	}
	if what := m.what(); what != "" {
		who = strings.TrimSpace(who + " (" + what + ")")
	}
	return who
}

// what is the run in a few words: "example/myapp, run 12, attempt 2, job deploy".
func (m Mark) what() string {
	var parts []string
	add := func(prefix, text string) {
		if text != "" {
			parts = append(parts, prefix+text)
		}
	}
	add("", m.Repository)
	if m.Run != 0 {
		add("run ", strconv.FormatInt(m.Run, 10))
	}
	if m.Attempt > 1 {
		add("attempt ", strconv.FormatInt(m.Attempt, 10))
	}
	add("job ", m.Job)
	return strings.Join(parts, ", ")
}

// Lines are what is added to the details: the link for people, then the mark.
func (m Mark) Lines() string {
	m = m.Clean()
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	lines := markPrefix + string(text)
	if m.Link != "" {
		lines = "Run: " + m.Link + "\n" + lines
	}
	return lines
}

// cleanField is a text of at most 200 characters, all of which print.
func cleanField(text string) string {
	kept := make([]rune, 0, min(len(text), longestField))
	for _, r := range strings.ToValidUTF8(text, "?") {
		if len(kept) == longestField {
			break
		}
		if !unicode.IsPrint(r) {
			r = '?'
		}
		kept = append(kept, r)
	}
	return strings.TrimSpace(string(kept))
}

// An Owner is whose a lock is, as far as its details tell.
type Owner int

// The owners. Only a lock with a mark may ever be released by us, and a freeze for no
// other reason than that its time is over, or that somebody thaws it.
const (
	UnreadableLock Owner = iota // no details, or nothing that Kamal writes
	LockByHand                  // kamal lock acquire -m
	LockOfKamal                 // of a deploy without kamal-op, or with a mark that is not understood
	LockMarked                  // of a run of kamal-op
	LockFrozen                  // kamal-op freeze
)

// A Lock is what the details of a deploy lock say. Its texts were written by
// anybody who may log in to the server; they are clean.
type Lock struct {
	Owner   Owner
	By      string
	Since   time.Time // zero where it is not known
	Version string    // of the app
	Message string
	Mark    Mark // where Owner is LockMarked or LockFrozen
}

// ParseLock reads the details of a lock, decoded: what kamal lock status prints.
// A lock with a person's message is by hand, whatever else it says, unless its mark is
// that of a freeze.
func ParseLock(details string) Lock {
	var l Lock
	message := false
	for line := range strings.Lines(details) {
		line = strings.TrimRight(line, "\r\n")
		if text, ok := strings.CutPrefix(line, "Locked by: "); ok && l.By == "" && l.Since.IsZero() {
			if i := strings.LastIndex(text, " at "); i >= 0 {
				if since, err := time.Parse(time.RFC3339, strings.TrimSpace(text[i+4:])); err == nil {
					l.Since, text = since, text[:i]
				}
			}
			l.By = cleanField(text)
		} else if text, ok := strings.CutPrefix(line, "Version: "); ok && l.Version == "" {
			l.Version = cleanField(text)
		} else if text, ok := strings.CutPrefix(line, "Message: "); ok && !message {
			l.Message, message = cleanField(text), true
		} else if text, ok := strings.CutPrefix(line, markPrefix); ok {
			if mark, ok := parseMark(text); ok {
				l.Mark = mark
			}
		}
	}
	switch {
	case !message:
		return Lock{By: l.By, Since: l.Since}
	case l.Mark.Freeze != nil && l.Message != automaticLock:
		l.Owner = LockFrozen
	case l.Message != automaticLock:
		l.Owner, l.Mark = LockByHand, Mark{}
	case l.Mark.Nonce == "" || l.Mark.Freeze != nil: // no freeze has that message
		l.Owner, l.Mark = LockOfKamal, Mark{}
	default:
		l.Owner = LockMarked
	}
	return l
}

// parseMark reads the mark's line, without its prefix.
func parseMark(text string) (Mark, bool) {
	var m Mark
	if json.Unmarshal([]byte(text), &m) != nil || !nonceText().MatchString(m.Nonce) {
		return Mark{}, false
	}
	return m.Clean(), true
}

// Describe is whose the lock is and since when, in one line.
func (l Lock) Describe(now time.Time) string {
	var who string
	switch l.Owner {
	case LockByHand:
		who = fmt.Sprintf("%s took it by hand", orSomebody(l.By))
		if l.Message != "" {
			who += fmt.Sprintf(" (%s)", l.Message)
		}
	case LockOfKamal:
		who = fmt.Sprintf("a deploy by %s holds it", orSomebody(l.By))
	case LockMarked:
		who = l.Mark.By()
		if who == "" {
			who = orSomebody(l.By)
			if l.Mark.System != "" {
				who += " (" + l.Mark.System + ")"
			}
		}
		who += " holds it"
	case LockFrozen:
		return l.Frozen("the app", now)
	default:
		return "nobody knows whose it is: its details cannot be read"
	}
	who += l.age(now)
	if l.Mark.Link != "" {
		who += ": " + l.Mark.Link
	}
	return who
}

func orSomebody(name string) string {
	if name == "" {
		return "somebody"
	}
	return name
}
