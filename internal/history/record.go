package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Record is what the hosts keep of one deploy: names, never values.
type Record struct {
	Run     string    `json:"run"`     // of kamal-op, made once per run
	Command string    `json:"command"` // deploy, redeploy, setup, rollback, rotate; "" of what Kamal alone has written
	Version string    `json:"version"` // of the app
	How     string    `json:"how"`     // done, failed, cancelled; booted, of a deploy without kamal-op
	By      string    `json:"by,omitempty"`
	Link    string    `json:"link,omitempty"` // a page about the run
	Ended   time.Time `json:"ended"`
	Took    float64   `json:"took"` // seconds
	Boots   []Boot    `json:"boots,omitempty"`
	Items   []Item    `json:"items,omitempty"`
	Phases  []Phase   `json:"phases,omitempty"`
}

// A Phase is a part of a deploy, and how long it took.
type Phase struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// A Boot is what became of a role on a host; "" is nothing.
type Boot struct {
	Host   string `json:"host"`
	Role   string `json:"role"`
	Before string `json:"before,omitempty"` // the version that ran
	After  string `json:"after,omitempty"`  // the version that runs; "?" where the run ended in between
}

// An Item is what secrets came from.
type Item struct {
	From    string   `json:"from"`              // vault/item, a variable, an Environment
	Version int      `json:"version,omitempty"` // of the item; 0 is not known
	Secrets []string `json:"secrets"`
}

// Add takes a secret down, with the version of what it came from.
func (r *Record) Add(secret, from string, version int) {
	i := slices.IndexFunc(r.Items, func(item Item) bool { return item.From == from && item.Version == version })
	if i < 0 {
		r.Items = append(r.Items, Item{From: from, Version: version})
		i = len(r.Items) - 1
	}
	if !slices.Contains(r.Items[i].Secrets, secret) {
		r.Items[i].Secrets = append(r.Items[i].Secrets, secret)
	}
}

// marker stands before a record in its line.
const marker = " kamal-op: "

// Line is the record for a line of Kamal's audit log: a few words, and all of it
// behind them.
func (r Record) Line() string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		panic(err) // texts and numbers always encode
	}
	return fmt.Sprintf("%s of %s %s,%s%s", r.Command, r.Version, r.ending(), marker, strings.TrimSpace(b.String()))
}

// ending is how it ended, and how long it took, in the line and the table alike.
func (r Record) ending() string {
	if r.Took <= 0 {
		return r.How // of what Kamal alone has written
	}
	return r.How + " in " + time.Duration(r.Took*float64(time.Second)).Round(time.Second).String()
}
