package ci

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/gate"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Report is what a run did, as a page. It holds names, never values.
type Report struct {
	Command     string // "deploy", "rollback"
	Service     string
	Version     string // the app's version that was to run
	Destination string // "" is none
	URL         string // where the app answers, if it is known
	RunURL      string // the page of this run, for pages that stand elsewhere
	Status      int    // the exit status
	Took        time.Duration

	Hosts      []HostReport
	Phases     []Phase
	Secrets    []SecretReport
	Signatures []string     // what was signed, counted: "logins as root: 3"
	Uses       []Use        // each use of the secrets and the key
	MoreUses   int          // how many more there were than are listed
	Refused    []string     // what was refused: by the agent, by the host keys
	Lock       []string     // what happened to the deploy lock, in order
	Problems   problem.List // what went wrong
	LastWords  []string     // of the phase that failed, masked
	Rollback   string       // the command that goes back, if there is a version to go back to

	// What only a person at a terminal is shown, as far as the hosts know it.
	Before  map[string][]time.Duration // how long phases of these names took in earlier deploys
	Changed []string                   // what has changed of the secrets since the last deploy
}

// A HostReport is what ran on a host before, and what runs there now; "" is nothing.
type HostReport struct {
	Host, Role    string
	Before, After string
	Unknown       bool // what runs there now is not known
	RolledBack    bool // it is what ran before, again
}

// A SecretReport is a secret by its names, with the item that it came from.
type SecretReport struct {
	Name, Vault, Item, Field string
	ItemVersion              int       // 0 is unknown
	Changed                  time.Time // zero is unknown
	Public                   bool      // it was passed on and not masked
}

// Result is how the run ended, as a word.
func (r Report) Result() string {
	switch r.Status {
	case problem.Done:
		return "succeeded"
	case problem.Interrupted, problem.Terminated:
		return "was cancelled"
	case problem.TimedOut:
		return "ran out of time"
	case problem.Partial:
		return "was done in part"
	}
	return "failed"
}

// Markdown is the report as a page: how it ended first, then what a person
// needs who has to act on it, then the rest.
func (r Report) Markdown() string {
	var p page
	r.head(&p)
	r.problems(&p)
	r.hosts(&p)
	if r.Rollback != "" {
		p.heading("To go back")
		p.block("sh", r.Rollback)
	}
	r.times(&p)
	r.secrets(&p)
	p.list("Signatures", r.Signatures)
	p.list("Refused", r.Refused)
	r.uses(&p)
	p.list("Deploy lock", r.Lock)
	return strings.TrimRight(p.String(), "\n") + "\n"
}

// head is the first line and what the run was about.
func (r Report) head(p *page) {
	mark := "✗"
	if r.Status == problem.Done {
		mark = "✓"
	}
	p.line("## %s %s", mark, Escape(strings.Join(subject(r.Command, "of", r.Service, r.Result()), " ")))
	var about []string
	add := func(what, is string) {
		if is != "" {
			about = append(about, what+" "+is)
		}
	}
	add("version", Code(r.Version))
	add("destination", Code(r.Destination))
	if r.Took > 0 {
		add("in", durationText(r.Took))
	}
	if r.Status != problem.Done {
		add("exit status", strconv.Itoa(r.Status))
	}
	add("at", link(r.URL, r.URL))
	add("by", link("this run", r.RunURL))
	if len(about) > 0 {
		p.line("%s", strings.Join(about, " · "))
	}
}

// subject leaves out what is not known: without a service there is no "of".
func subject(command, of, service, result string) []string {
	if command == "" {
		command = "run"
	}
	if service == "" {
		return []string{command, result}
	}
	return []string{command, of, service, result}
}

// problems is what went wrong.
func (r Report) problems(p *page) {
	pages := map[string]bool{}
	for _, told := range r.Problems {
		p.block("", Text(Error, told, false))
		if page := told.URL(); !pages[page] {
			pages[page] = true
			p.line("%s", link("What to do about it", page))
		}
	}
	if len(r.LastWords) > 0 {
		p.line("Last words:")
		p.block("", strings.Join(r.LastWords, "\n"))
	}
}

func (r Report) hosts(p *page) {
	if len(r.Hosts) == 0 {
		return
	}
	p.heading("Hosts")
	rows := make([][]string, len(r.Hosts))
	for i, h := range r.Hosts {
		now := versionCell(h.After)
		switch {
		case h.Unknown:
			now = "not known"
		case h.RolledBack:
			now += " (rolled back)"
		case h.After == h.Before && h.After != "":
			now += " (as before)"
		}
		rows[i] = []string{Code(h.Host), Escape(h.Role), versionCell(h.Before), now}
	}
	p.table([]string{"Host", "Role", "Before", "Now"}, rows)
}

// versionCell is a version, or "nothing". A commit is cut to what it can be known by:
// two whole ones side by side are wider than a telephone, and the command to go back has
// the one that is needed.
func versionCell(version string) string {
	const enough = 12
	switch {
	case version == "":
		return "nothing"
	case len(version) == 40 && strings.Trim(version, "0123456789abcdef") == "":
		version = version[:enough]
	}
	return Code(version)
}

func (r Report) times(p *page) {
	if len(r.Phases) == 0 {
		return
	}
	p.heading("Phases")
	p.block("mermaid", gantt(r.Phases))
	rows := make([][]string, len(r.Phases))
	for i, phase := range r.Phases {
		result := durationText(phase.Took)
		if phase.Failed {
			result = "failed after " + result
		}
		rows[i] = []string{Escape(phase.Name), Code(phase.Host), result}
	}
	p.table([]string{"Phase", "Host", "Time"}, rows)
}

func (r Report) secrets(p *page) {
	if len(r.Secrets) == 0 {
		return
	}
	p.heading("Secrets")
	rows := make([][]string, len(r.Secrets))
	for i, s := range r.Secrets {
		version, changed, name := "", "", Code(s.Name)
		if s.ItemVersion > 0 {
			version = strconv.Itoa(s.ItemVersion)
		}
		if !s.Changed.IsZero() {
			changed = s.Changed.UTC().Format("2006-01-02 15:04 UTC")
		}
		if s.Public {
			name += " (public)"
		}
		rows[i] = []string{name, Escape(s.Vault), Escape(s.Item), Escape(s.Field), version, changed}
	}
	p.table([]string{"Name", "Vault", "Item", "Field", "Item's version", "Last changed"}, rows)
}

// gantt is the phases as a Mermaid chart, by the clock of whoever looks at it.
func gantt(phases []Phase) string {
	var b strings.Builder
	b.WriteString("gantt\n    dateFormat x\n    axisFormat %H:%M:%S\n")
	for i, p := range phases {
		kind := "done"
		if p.Failed {
			kind = "crit"
		}
		// A task without length is not drawn.
		begun := p.Begun.UnixMilli()
		fmt.Fprintf(&b, "    %s :%s, p%d, %d, %d\n", chartText(p.Title()), kind, i+1, begun, begun+max(p.Took.Milliseconds(), 1))
	}
	return b.String()
}

// chartText is text in which nothing ends a name or begins a comment of the
// chart.
func chartText(text string) string {
	text = strings.Map(func(r rune) rune {
		if strings.ContainsRune(":;#,%{}`\"<>", r) {
			return '-'
		}
		return r
	}, gate.OneLine(text))
	if text = strings.TrimSpace(text); text == "" {
		return "-"
	}
	return text
}
