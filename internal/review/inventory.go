package review

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
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
	id, image string
	volumes   []string // that it mounts, with and without names
}

// Leftovers is what of one preview is on one host.
type Leftovers struct {
	Host       string
	Containers []Container
	Images     []string // by number
	Volumes    []string // with a name of the preview's
	Routes     []string // services that kamal-proxy knows
	Files      []string // in the home folder of the user who logs in
	Foreign    []Foreign
}

// own says whether anything of the preview's own is there.
func (l Leftovers) own() bool {
	return len(l.Containers)+len(l.Images)+len(l.Volumes)+len(l.Routes)+len(l.Files) > 0
}

// A Foreign is what has a name of a preview's on a host, and not our labels: it is
// another's, or of a kamal-op before the labels. It is never removed.
type Foreign struct {
	Host   string
	Number int
	Kind   string // container, image, volume, kamal-proxy's, file
	Name   string

	// Of a container.
	container   Container
	destination string
	labelled    bool // with labels of ours, for another preview
}

func (f Foreign) String() string {
	what := f.Kind + " " + short(f.Name)
	if f.Kind == kindFile {
		what = short(f.Name)
	}
	return f.Host + ": " + what
}

// Kinds of things on a host.
const (
	kindContainer = "container"
	kindImage     = "image"
	kindVolume    = "volume"
	kindRoute     = "kamal-proxy's"
	kindFile      = "file"
)

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
			list = append(list, l.Host+": "+kindContainer+" "+short(c.Name))
		}
		for _, i := range l.Images {
			list = append(list, l.Host+": "+kindImage+" "+short(i))
		}
		for _, v := range l.Volumes {
			list = append(list, l.Host+": "+kindVolume+" "+short(v))
		}
		for _, r := range l.Routes {
			list = append(list, l.Host+": "+kindRoute+" "+short(r))
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
	Foreign  []Foreign        // what has a preview's name and is not ours
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

// foreign is what has the name of one preview and is not ours.
func (i Inventory) foreign(number int) []Foreign {
	var list []Foreign
	for _, f := range i.Foreign {
		if f.Number == number {
			list = append(list, f)
		}
	}
	return list
}

// claimed is what is left of a preview, with what was its own before its containers
// went, by which that is known.
func (i Inventory) claimed(before Preview) Preview {
	rest, _ := i.Find(before.Number)
	rest.Service = before.Service
	for _, was := range before.Hosts {
		at := slices.IndexFunc(rest.Hosts, func(l Leftovers) bool { return l.Host == was.Host })
		now := Leftovers{Host: was.Host}
		if at >= 0 {
			now = rest.Hosts[at]
		}
		for _, f := range i.foreign(before.Number) {
			if f.Host == was.Host {
				now.claim(f, was)
			}
		}
		switch {
		case at >= 0:
			rest.Hosts[at] = now
		case now.own():
			rest.Hosts = append(rest.Hosts, now)
		}
	}
	return rest
}

// add puts what one host answered into the inventory.
func (i *Inventory) add(base string, l map[int]Leftovers) {
	for _, n := range slices.Sorted(maps.Keys(l)) {
		found := l[n]
		i.Foreign = append(i.Foreign, found.Foreign...)
		if !found.own() {
			continue
		}
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

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*m`)

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
		route := escapes.ReplaceAllString(name, "") // kamal-proxy colours its table
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
