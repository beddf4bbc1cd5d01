package review

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Container is one of a preview's, running or not.
type Container struct {
	Host      string
	Name      string
	Accessory string // "" for the app's
	Created   time.Time
	Running   bool
	Anonymous []string // volumes without a name, which Docker leaves behind
}

// Leftovers is what of one preview is on one host.
type Leftovers struct {
	Host       string
	Containers []Container
	Images     []string // by number
	Volumes    []string // with a name of the preview's
	Routes     []string // services that kamal-proxy knows
	Files      []string // in the home folder of the user who logs in
}

// A Preview is what of one pull request is on the hosts.
type Preview struct {
	Number  int
	Service string
	Hosts   []Leftovers
}

// Left is everything of the preview that is on the hosts, a line each.
func (p Preview) Left() []string {
	var list []string
	for _, l := range p.Hosts {
		for _, c := range l.Containers {
			list = append(list, l.Host+": container "+short(c.Name))
		}
		for _, i := range l.Images {
			list = append(list, l.Host+": image "+short(i))
		}
		for _, v := range l.Volumes {
			list = append(list, l.Host+": volume "+short(v))
		}
		for _, r := range l.Routes {
			list = append(list, l.Host+": kamal-proxy's "+short(r))
		}
		for _, f := range l.Files {
			list = append(list, l.Host+": "+short(f))
		}
	}
	return list
}

// Running says that the app of the preview runs on some host.
func (p Preview) Running() bool {
	return slices.ContainsFunc(p.Hosts, func(l Leftovers) bool {
		return slices.ContainsFunc(l.Containers, func(c Container) bool { return c.Running && c.Accessory == "" })
	})
}

// locked says that some run holds the deploy lock of the preview.
func (p Preview) locked(a App) bool {
	return slices.ContainsFunc(p.Hosts, func(l Leftovers) bool {
		return slices.Contains(l.Files, ".kamal/lock-"+a.Service+"-"+a.Destination)
	})
}

// Deployed is when the newest container of the app was made; zero where there is
// none.
func (p Preview) Deployed() time.Time {
	var newest time.Time
	for _, l := range p.Hosts {
		for _, c := range l.Containers {
			if c.Accessory == "" && c.Created.After(newest) {
				newest = c.Created
			}
		}
	}
	return newest
}

// An Inventory is what of all previews of a project is on its hosts.
type Inventory struct {
	Previews []Preview        // by number
	Silent   map[string]error // hosts that did not answer, and why
	Asked    []string         // hosts that were asked
}

// Find is the preview of a pull request.
func (i Inventory) Find(number int) (Preview, bool) {
	for _, p := range i.Previews {
		if p.Number == number {
			return p, true
		}
	}
	return Preview{Number: number}, false
}

// add puts what one host answered into the inventory.
func (i *Inventory) add(base string, l map[int]Leftovers) {
	for n, found := range l {
		at := slices.IndexFunc(i.Previews, func(p Preview) bool { return p.Number == n })
		if at < 0 {
			i.Previews = append(i.Previews, Preview{Number: n, Service: base + "-pr-" + strconv.Itoa(n)})
			at = len(i.Previews) - 1
		}
		i.Previews[at].Hosts = append(i.Previews[at].Hosts, found)
	}
	slices.SortFunc(i.Previews, func(a, b Preview) int { return cmp.Compare(a.Number, b.Number) })
}

// inventoryScript is what a host is asked: for each thing one line that begins with
// the mark, which Kamal's own lines cannot. It changes nothing. base and mark are
// letters, digits, - and _ only, so that nothing in the script needs a quote.
//
// The labels of all containers are looked at, not those of one service: Docker's
// filter for a label takes whole values only.
func inventoryScript(base, mark string) string {
	return script(strings.Join([]string{
		`a=$(docker ps -aq --no-trunc --filter label=service) || exit 1`,
		`[ -z "$a" ] || docker inspect --format "@M c|{{index .Config.Labels \"service\"}}|{{.Name}}|{{.Created}}|{{.State.Running}}|{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}},{{end}}{{end}}" $a 2>/dev/null`,
		`a=$(docker image ls -q --no-trunc --filter label=service) || exit 1`,
		`[ -z "$a" ] || docker image inspect --format "@M i|{{index .Config.Labels \"service\"}}|{{.Id}}" $a 2>/dev/null`,
		`docker volume ls --format "@M v|{{.Name}}" || exit 1`,
		`docker exec kamal-proxy kamal-proxy list 2>/dev/null | while read -r a b; do echo "@M p|$a"; done`,
		`for f in .kamal/apps/@S-pr-* .kamal/proxy/apps-config/@S-pr-* .kamal/@S-pr-*-audit.log .kamal/lock-@S-pr-* @S-pr-*; do if [ -e "$f" ]; then echo "@M f|$f"; fi; done`,
		`echo "@M end"`,
	}, "; "), base, mark)
}

// script fills in a script's names.
func script(text, base, mark string) string {
	return strings.NewReplacer("@M", "@"+mark, "@S", base).Replace(text)
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*m`)

var errCutShort = errors.New("its answer was cut short")

// parseInventory reads a host's answer. protected are services that are not a
// preview's, whatever their name looks like: production's, and its accessories'.
func parseInventory(host, base, destination, mark string, answer []byte, protected map[string]bool) (map[int]Leftovers, error) {
	all := map[int]Leftovers{}
	note := func(n int, f func(*Leftovers)) {
		l := all[n]
		l.Host = host
		f(&l)
		all[n] = l
	}
	whole := false
	for raw := range bytes.Lines(answer) {
		l := strings.TrimRight(string(raw), "\r\n")
		rest, ok := strings.CutPrefix(l, "@"+mark+" ")
		if !ok {
			continue
		}
		if rest == "end" {
			whole = true
			continue
		}
		kind, rest, _ := strings.Cut(rest, "|")
		f := strings.Split(rest, "|")
		service := f[0]
		switch {
		case kind == "c" && len(f) == 5 && !protected[service]:
			n, accessory, ok := numberOf(base, service)
			if !ok {
				continue
			}
			created, err := time.Parse(time.RFC3339Nano, f[2])
			if err != nil {
				return nil, fmt.Errorf("container %s has no date", short(f[1]))
			}
			c := Container{Host: host, Name: strings.TrimPrefix(f[1], "/"), Accessory: accessory, Created: created, Running: f[3] == "true"}
			for v := range strings.SplitSeq(f[4], ",") {
				if anonymous(v) {
					c.Anonymous = append(c.Anonymous, v)
				}
			}
			note(n, func(l *Leftovers) { l.Containers = append(l.Containers, c) })
		case kind == "i" && len(f) == 2 && !protected[service]:
			if n, _, ok := numberOf(base, service); ok {
				note(n, func(l *Leftovers) {
					if !slices.Contains(l.Images, f[1]) { // one line a tag
						l.Images = append(l.Images, f[1])
					}
				})
			}
		case kind == "v" && len(f) == 1 && !protected[service]:
			if n, ok := numberOfFree(base, service); ok {
				note(n, func(l *Leftovers) { l.Volumes = append(l.Volumes, service) })
			}
		case kind == "p" && len(f) == 1:
			route := escapes.ReplaceAllString(service, "") // kamal-proxy colours its table
			if n, _, ok := numberOf(base, route); ok && !protected[route] {
				note(n, func(l *Leftovers) { l.Routes = append(l.Routes, route) })
			}
		case kind == "f" && len(f) == 1:
			if n, ok := numberOfFile(base, destination, service, protected); ok {
				note(n, func(l *Leftovers) { l.Files = append(l.Files, service) })
			}
		}
	}
	if !whole {
		return nil, errCutShort
	}
	return all, nil
}

// anonymous says whether a volume's name is one that Docker made.
func anonymous(v string) bool {
	return len(v) == 64 && strings.Trim(v, "0123456789abcdef") == ""
}

// numberOfFree reads a name that a project made of its preview's service: the
// service, alone or before a - or _ or a dot.
func numberOfFree(base, name string) (int, bool) {
	rest, ok := strings.CutPrefix(name, base+"-pr-")
	if !ok {
		return 0, false
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	digits := rest
	if end >= 0 {
		digits = rest[:end]
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || n > maxNumber || strconv.Itoa(n) != digits {
		return 0, false
	}
	a := App{Service: base + "-pr-" + digits}
	return n, a.owns(name)
}

// numberOfFile reads a path that Kamal makes of a service, or of an accessory.
func numberOfFile(base, destination, path string, protected map[string]bool) (int, bool) {
	name := path
	for _, dir := range []string{".kamal/apps/", ".kamal/proxy/apps-config/", ".kamal/lock-", ".kamal/"} {
		if rest, ok := strings.CutPrefix(path, dir); ok {
			name = strings.TrimSuffix(rest, "-audit.log")
			// SERVICE-DESTINATION, always with the destination that previews have.
			if name, ok = strings.CutSuffix(name, "-"+destination); !ok {
				return 0, false
			}
			break
		}
	}
	if strings.ContainsAny(name, "/\x00") || protected[name] {
		return 0, false
	}
	n, _, ok := numberOf(base, name)
	return n, ok
}
