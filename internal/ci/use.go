package ci

import (
	"fmt"
	"strconv"
	"time"
)

// A Use is one use of what a run is trusted with: a secret was looked up, a key has
// signed, a registry was logged in to, or one of these was refused. It holds names,
// never values.
type Use struct {
	Time    time.Time
	Kind    UseKind
	What    string // `op read op://MyApp/Production/KEY`, the reason of a refusal
	Host    string // the server; "" where it is not known
	User    string // to log in as; "" where it is no login
	Process string // who asked: its program and number; "" where it is not known
	Times   int    // how often, where several are one line
}

// A UseKind is what kind of use it is, as events name it.
type UseKind string

// The kinds.
const (
	Lookup    UseKind = "lookup"    // an op command was answered
	Refusal   UseKind = "refusal"   // an op command, a connection or a signature was refused
	Signature UseKind = "signature" // the agent has signed
	Attached  UseKind = "attached"  // kamal-op's part took its place in a Kamal
	Checked   UseKind = "checked"   // what Kamal has was compared with the vault
	Login     UseKind = "login"     // Kamal logs in to a registry on this machine
)

// String is the use as a line of the log.
func (u Use) String() string {
	text := fmt.Sprintf("%s %s", u.Time.UTC().Format("15:04:05"), u.Kind)
	for _, part := range [][2]string{{": ", u.What}, {" for ", u.User}, {" on ", u.Host}, {" by ", u.Process}} {
		if part[1] != "" {
			text += part[0] + part[1]
		}
	}
	if u.Times > 1 {
		text += fmt.Sprintf(" (%d times)", u.Times)
	}
	return text
}

// ReportUse reports a use at once in a log for programs. People find it at the end of the
// run.
func ReportUse(s System, u Use) {
	if e, ok := s.(*events); ok {
		e.emit(event{Event: string(u.Kind), Text: &u.What, Host: u.Host, User: u.User, Process: u.Process})
	}
}

// LogUses shows the uses of a run in their own part of the log. A log for programs has
// each of them already.
func LogUses(s System, all []Use, more int) {
	if _, ok := s.(*events); ok || len(all) == 0 {
		return
	}
	s.Group("what was asked for")
	for _, use := range all {
		s.Info(use.String())
	}
	if more > 0 {
		s.Info(fmt.Sprintf("and %d more", more))
	}
	s.EndGroup()
}

// uses is the table of what a run was trusted with.
func (r Report) uses(p *page) {
	if len(r.Uses) == 0 {
		return
	}
	p.heading("What was asked for")
	rows := make([][]string, len(r.Uses))
	for i, u := range r.Uses {
		times := ""
		if u.Times > 1 {
			times = strconv.Itoa(u.Times)
		}
		rows[i] = []string{u.Time.UTC().Format("15:04:05 UTC"), Escape(string(u.Kind)), Escape(u.What), Code(u.Host), Escape(u.User), Escape(u.Process), times}
	}
	p.table([]string{"Time", "What", "Of", "Host", "User", "Process", "Times"}, rows)
	if r.MoreUses > 0 {
		p.line("and %d more, which are not listed", r.MoreUses)
	}
}
