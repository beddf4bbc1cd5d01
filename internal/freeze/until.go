package freeze

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kamal-op/kamal-op/internal/duration"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// untilForms are the forms of a moment. Each has its zone: the machine that freezes
// and those that deploy are seldom in the same one.
var untilForms = []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00", "2006-01-02 15:04 Z07:00"}

// untilHint says how a time is written.
const untilHint = "such as --until 4h or --until 3d, or with its zone --until 2026-12-24T18:00Z or 2026-12-24T18:00+01:00"

// Of is the freeze for a reason until a time, "" for one without an end.
func Of(why, until string, now time.Time) (kamal.Freeze, error) {
	wrong := func(hint, format string, args ...any) error {
		return problem.Usagef(hint, format, args...).About(problem.Freezing)
	}
	f := kamal.Freeze{Why: strings.TrimSpace(why)}
	switch {
	case f.Why == "":
		return f, wrong(`such as kamal-op freeze -m "the database moves"`, "say why with -m: the message of the freeze is empty")
	case strings.ContainsFunc(f.Why, func(r rune) bool { return !unicode.IsPrint(r) }):
		return f, wrong("write it in one line", "the message of the freeze has line breaks, or characters that do not print")
	case utf8.RuneCountInString(f.Why) > kamal.LongestWhy:
		return f, wrong("say it in fewer words, or give a link", "the message of the freeze has %d characters, and %d are taken", utf8.RuneCountInString(f.Why), kamal.LongestWhy)
	}
	until = strings.TrimSpace(until)
	if until == "" {
		return f, nil
	}
	if d, err := duration.Parse(until); err == nil {
		if d < time.Second {
			return f, wrong(untilHint, "--until %s is no time from now", until)
		}
		f.Until = now.Add(d).UTC().Truncate(time.Second)
	}
	for _, form := range untilForms {
		if at, err := time.Parse(form, until); err == nil {
			f.Until = at.UTC().Truncate(time.Second)
		}
	}
	switch {
	case f.Until.IsZero():
		return f, wrong(untilHint, "--until %q is neither a duration nor a time with its zone", until)
	case f.Over(now):
		return f, wrong(untilHint, "--until %s is over already", until)
	}
	return f, nil
}
