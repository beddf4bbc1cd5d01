package mask

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Skipped says that a value, or some lines of it, are not masked.
type Skipped struct {
	Name   string // the secret's name; empty if it was added without one
	Lines  []int  // the lines refused, counted from 1; nil if it is the whole value
	Within int    // so many values within it: of its JSON, say, or the password of its URL
	Reason string // why, in words that fit after "is" or "are"; never the value
}

// String is the report in one line, without the value.
func (s Skipped) String() string {
	name := s.Name
	if name == "" {
		name = "a value"
	}
	switch {
	case s.Within == 1:
		return fmt.Sprintf("%s: a value within it is %s", name, s.Reason)
	case s.Within > 1:
		return fmt.Sprintf("%s: %d values within it are %s", name, s.Within, s.Reason)
	}
	switch len(s.Lines) {
	case 0:
		return fmt.Sprintf("%s is %s", name, s.Reason)
	case 1:
		return fmt.Sprintf("%s: line %d is %s", name, s.Lines[0], s.Reason)
	}
	var lines []string
	for _, n := range s.Lines[:min(len(s.Lines), 5)] {
		lines = append(lines, strconv.Itoa(n))
	}
	text := strings.Join(lines, ", ")
	if more := len(s.Lines) - len(lines); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("%s: lines %s are %s", name, text, s.Reason)
}

// Noisy says that a value is masked but is such that much of the log will be
// blanked with it.
type Noisy struct {
	Name   string // the secret's name; empty if it was added without one
	Reason string // why, in words that fit after "is"; never the value
}

// String is the report in one line, without the value.
func (n Noisy) String() string {
	name := n.Name
	if name == "" {
		name = "a value"
	}
	return fmt.Sprintf("%s is %s", name, n.Reason)
}

// commonWords are values that logs hold for other reasons: in lower case, sorted.
var commonWords = strings.Fields(`
	access admin administrator alpine amd64 apache app apps arm64 assets auth backend
	base beta block bool boolean branch build builder cache changeme client cloud
	config container cron data database debian debug default demo deploy deployment dev
	development disabled docker domain email enabled env environment error example
	false file foobar force frontend git github guest health hello hidden home host
	hostname http https image info internal job jobs kamal kubernetes latest level
	linux local localhost log logs mail main mariadb master memcached message mongo
	mongodb mysql name network nginx nil node none null off pass password path port
	postgres postgresql preview primary private prod production project proxy public
	puma queue rabbitmq rails redis registry release remote replica root ruby rule
	secret secrets server service session setup sidekiq smtp sqlite sqlite3 ssh staging
	start status stop string support system task temp template test testing thread time
	token trace true ubuntu undefined unknown user username value version volume warn
	warning web worker yes zone`)

// noise is why value will blank much of the log; empty if it will not.
func noise(value string) string {
	v := strings.TrimSpace(value)
	lower := strings.ToLower(v)
	if _, common := slices.BinarySearch(commonWords, lower); common {
		return "a common word"
	}
	if isHost(v) {
		return "the name or address of a host"
	}
	digits, letters := 0, 0
	for _, r := range v {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	switch {
	case v == "":
	case strings.Count(v, v[:1]) == len(v):
		return "one character, repeated"
	case letters+digits == 0 && len(v) < 8:
		return "punctuation only"
	case digits == len(v) && len(v) < 8:
		return "a short number"
	}
	return ""
}

// isHost reports whether v is an IP address, or looks like the name of a host:
// labels between dots, in lower case, of which the last has letters only. A token
// with dots in it has capitals, or longer labels.
func isHost(v string) bool {
	if _, err := netip.ParseAddr(strings.Trim(v, "[]")); err == nil {
		return true
	}
	labels := strings.Split(v, ".")
	if len(labels) < 2 || len(v) > 80 {
		return false
	}
	for i, label := range labels {
		if label == "" || len(label) > 24 {
			return false
		}
		for k := range len(label) {
			c := label[k]
			letter := 'a' <= c && c <= 'z'
			if !letter && (i == len(labels)-1 || c != '-' && ('0' > c || c > '9')) {
				return false
			}
		}
	}
	return len(labels[len(labels)-1]) > 1
}
