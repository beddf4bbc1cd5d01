package review

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kamal-op/kamal-op/internal/lazy"
)

// inventoryScript is what a host is asked: for each thing one line that begins with
// the mark, which Kamal's own lines cannot. It changes nothing. base and mark are
// letters, digits, - and _ only, so that nothing in the script needs a quote.
//
// The labels of all containers are looked at, not those of one service: Docker's
// filter for a label takes whole values only.
func inventoryScript(base, mark string) string {
	label := func(name string) string { return `{{index .Config.Labels \"` + name + `\"}}` }
	ours := label("service") + "|" + label(labelService) + "|" + label(labelRepository) + "|" + label(labelNumber)
	return script(strings.Join([]string{
		`a=$(docker ps -aq --no-trunc --filter label=service) || exit 1`,
		`[ -z "$a" ] || docker inspect --format "@M c|` + ours + `|` + label("destination") + `|{{.Id}}|{{.Name}}|{{.Image}}|{{.Created}}|{{.State.Running}}|{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}},{{end}}{{end}}" $a 2>/dev/null`,
		`a=$(docker image ls -q --no-trunc --filter label=service) || exit 1`,
		`[ -z "$a" ] || docker image inspect --format "@M i|` + ours + `|{{.Id}}" $a 2>/dev/null`,
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

var escapes = lazy.Regexp(`\x1b\[[0-9;]*m`)

var errCutShort = errors.New("its answer was cut short")

// parseInventory reads the answer of a host. of is a preview of the project, whose
// number does not matter. protected are services that are not a preview's, whatever
// their name looks like: production's, and its accessories'.
func parseInventory(host string, of App, mark string, answer []byte, protected map[string]bool) (map[int]Leftovers, error) {
	p := inventoryParser{host: host, of: of, protected: protected, all: map[int]*Leftovers{}}
	whole := false
	// Containers come first: they tell what else is whose.
	for raw := range bytes.Lines(answer) {
		rest, ok := strings.CutPrefix(strings.TrimRight(string(raw), "\r\n"), "@"+mark+" ")
		if !ok {
			continue
		}
		if rest == "end" {
			whole = true
			continue
		}
		kind, rest, _ := strings.Cut(rest, "|")
		if err := p.line(kind, strings.Split(rest, "|")); err != nil {
			return nil, err
		}
	}
	if !whole {
		return nil, errCutShort
	}
	found := map[int]Leftovers{}
	for n, l := range p.all {
		found[n] = *l
	}
	return found, nil
}

// An inventoryParser is one host's answer, partly read.
type inventoryParser struct {
	host      string
	of        App
	protected map[string]bool
	all       map[int]*Leftovers
}

func (p *inventoryParser) at(n int) *Leftovers {
	if p.all[n] == nil {
		p.all[n] = &Leftovers{Host: p.host}
	}
	return p.all[n]
}

func (p *inventoryParser) foreign(n int, kind, name string) {
	l := p.at(n)
	l.Foreign = append(l.Foreign, Foreign{Host: p.host, Number: n, Kind: kind, Name: name})
}

// line reads one thing.
func (p *inventoryParser) line(kind string, f []string) error {
	name := f[0]
	switch {
	case kind == "c" && len(f) == 11 && !p.protected[name]:
		return p.container(f)
	case kind == "i" && len(f) == 5 && !p.protected[name]:
		p.image(f)
	case kind == "v" && len(f) == 1 && !p.protected[name]:
		if n, ok := numberOfFree(p.of.Base, name); ok {
			p.volume(n, name)
		}
	case kind == "p" && len(f) == 1:
		route := escapes().ReplaceAllString(name, "") // kamal-proxy colours its table
		if n, _, ok := numberOf(p.of.Base, route); ok && !p.protected[route] {
			p.route(n, route)
		}
	case kind == "f" && len(f) == 1:
		if n, folder, ok := numberOfFile(p.of.Base, p.of.Destination, name, p.protected); ok {
			p.file(n, name, folder)
		}
	}
	return nil
}

// bears says whether labels are those of one of the project's previews.
func (p *inventoryParser) bears(n int, labels []string) bool {
	return labels[0] == p.of.Base && (labels[1] == p.of.Repository || p.of.Repository == "" && labels[1] != "") && labels[2] == strconv.Itoa(n)
}

func (p *inventoryParser) container(f []string) error {
	n, accessory, ok := numberOf(p.of.Base, f[0])
	if !ok {
		return nil
	}
	created, err := time.Parse(time.RFC3339Nano, f[8])
	if err != nil {
		return fmt.Errorf("container %s has no date", short(f[6]))
	}
	c := Container{
		Host: p.host, Name: strings.TrimPrefix(f[6], "/"), Accessory: accessory, Created: created, Running: f[9] == "true",
		id: f[5], image: f[7], volumes: strings.Split(strings.TrimSuffix(f[10], ","), ","),
	}
	l := p.at(n)
	if p.bears(n, f[1:4]) {
		l.Containers = append(l.Containers, c)
		return nil
	}
	l.Foreign = append(l.Foreign, Foreign{
		Host: p.host, Number: n, Kind: kindContainer, Name: c.Name, container: c, destination: f[4], labelled: f[1]+f[2]+f[3] != "",
	})
	return nil
}

// image is ours by its labels, or since a container of ours was made of it: another
// builder than Docker's gives it none.
func (p *inventoryParser) image(f []string) {
	n, _, ok := numberOf(p.of.Base, f[0])
	if !ok {
		return
	}
	l := p.at(n)
	id := f[4]
	if p.bears(n, f[1:4]) || slices.ContainsFunc(l.Containers, func(c Container) bool { return c.image == id }) {
		if !slices.Contains(l.Images, id) { // one line a tag
			l.Images = append(l.Images, id)
		}
		return
	}
	if !slices.ContainsFunc(l.Foreign, func(f Foreign) bool { return f.Kind == kindImage && f.Name == id }) {
		p.foreign(n, kindImage, id)
	}
}

// volume is ours where a container of ours mounts it: Kamal gives volumes no labels.
func (p *inventoryParser) volume(n int, name string) {
	l := p.at(n)
	if slices.ContainsFunc(l.Containers, func(c Container) bool { return slices.Contains(c.volumes, name) }) {
		l.Volumes = append(l.Volumes, name)
		return
	}
	p.foreign(n, kindVolume, name)
}

// anothers says whether the app of a preview's name is another's on this host, and
// so are its files and its routes.
func (l *Leftovers) anothers() bool {
	return len(l.Containers) == 0 && slices.ContainsFunc(l.Foreign, func(f Foreign) bool { return f.Kind == kindContainer && f.container.Accessory == "" })
}

// has says whether a container of ours has this service on this host.
func (l *Leftovers) has(a App, service string) bool {
	return slices.ContainsFunc(l.Containers, func(c Container) bool {
		return service == a.Service && c.Accessory == "" || c.Accessory != "" && service == a.Service+"-"+c.Accessory
	})
}

// preview is the names of one of the project's previews.
func (p *inventoryParser) preview(n int) App {
	a := p.of
	a.Number, a.Service = n, a.Name(n)
	return a
}

// route of the app is SERVICE-ROLE-DESTINATION, of an accessory its service.
func (p *inventoryParser) route(n int, route string) {
	l := p.at(n)
	if l.has(p.preview(n), route) || strings.HasSuffix(route, "-"+p.of.Destination) && !l.anothers() {
		l.Routes = append(l.Routes, route)
		return
	}
	p.foreign(n, kindRoute, route)
}

// file of Kamal's is SERVICE-DESTINATION; a folder is an accessory's.
func (p *inventoryParser) file(n int, name string, folder bool) {
	l := p.at(n)
	if folder && l.has(p.preview(n), name) || !folder && !l.anothers() {
		l.Files = append(l.Files, name)
		return
	}
	p.foreign(n, kindFile, name)
}

// claim makes a thing ours that was ours before.
func (l *Leftovers) claim(f Foreign, before Leftovers) {
	switch {
	case f.Kind == kindVolume && slices.Contains(before.Volumes, f.Name):
		l.Volumes = append(l.Volumes, f.Name)
	case f.Kind == kindRoute && slices.Contains(before.Routes, f.Name):
		l.Routes = append(l.Routes, f.Name)
	case f.Kind == kindFile && slices.Contains(before.Files, f.Name):
		l.Files = append(l.Files, f.Name)
	}
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

// numberOfFile reads a path that Kamal makes of a service, or of an accessory;
// folder says that it is an accessory's, in the home folder itself.
func numberOfFile(base, destination, path string, protected map[string]bool) (n int, folder, ok bool) {
	name, folder := path, true
	for _, dir := range []string{".kamal/apps/", ".kamal/proxy/apps-config/", ".kamal/lock-", ".kamal/"} {
		if rest, ok := strings.CutPrefix(path, dir); ok {
			name, folder = strings.TrimSuffix(rest, "-audit.log"), false
			// SERVICE-DESTINATION, always with the destination that previews have.
			if name, ok = strings.CutSuffix(name, "-"+destination); !ok {
				return 0, false, false
			}
			break
		}
	}
	if strings.ContainsAny(name, "/\x00") || protected[name] {
		return 0, false, false
	}
	n, _, ok = numberOf(base, name)
	return n, folder, ok
}
