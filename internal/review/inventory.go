package review

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
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
