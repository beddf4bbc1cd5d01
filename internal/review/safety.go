package review

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// Safety is what a preview may touch besides its own.
type Safety struct {
	// SharedAccessories are accessories of the preview's configuration that are not
	// its own: one database for all. They are never booted, stopped or removed.
	SharedAccessories []string
}

// labels that Kamal finds things by.
var kamalLabels = []string{"service", "role", "destination"}

// Check holds the configuration that Kamal resolves for a preview against the
// preview's names, and against production's, and gives every way in which the
// preview would touch another app. production is nil where there is none.
func (s Safety) Check(a App, preview Resolved, production *Resolved) error {
	c := checker{app: a, is: preview, production: production, shared: s.SharedAccessories}
	c.names()
	c.hosts()
	c.labels()
	c.accessories()
	c.volumes()
	return c.list.Err()
}

type checker struct {
	app        App
	is         Resolved
	production *Resolved
	shared     []string
	list       problem.List
}

func (c *checker) add(hint, format string, args ...any) {
	c.list = append(c.list, &problem.Problem{Message: fmt.Sprintf(format, args...), Hint: hint, Status: problem.Found})
}

func (c *checker) file() string { return "config/deploy." + c.app.Destination + ".yml" }

func (c *checker) names() {
	if c.is.Service != c.app.Service {
		c.add(`write service: <%= ENV["REVIEW_SERVICE"] %> in `+c.file(),
			"the preview's service is %s, not %s", short(c.is.Service), c.app.Service)
	}
	if c.is.Destination != c.app.Destination {
		c.add("", "the preview's destination is %q, not %q", short(c.is.Destination), c.app.Destination)
	}
	// The tag is what keeps images of one repository apart.
	if c.is.Version != c.app.Version {
		c.add("leave the version to kamal-op", "the preview's image is tagged %s, not %s", short(c.is.Version), c.app.Version)
	}
}

func (c *checker) hosts() {
	hint := `write host: <%= ENV["REVIEW_HOST"] %> under proxy in ` + c.file()
	taken := map[string]string{}
	if c.production != nil {
		for of, p := range c.production.proxies() {
			for _, h := range p.Hosts {
				taken[strings.ToLower(h)] = of
			}
		}
	}
	proxies := c.is.proxies()
	for _, of := range keys(proxies) {
		p := proxies[of]
		if len(p.Hosts) == 0 {
			c.add(hint, "the preview's %s answers for every host", of)
		}
		for _, h := range p.Hosts {
			low := strings.ToLower(h)
			switch whose, used := taken[low]; {
			case used:
				c.add(hint, "the preview's %s would answer for %s, which is production's %s", of, short(h), short(whose))
			case low != c.app.Host && !strings.HasSuffix(low, "."+c.app.Host):
				c.add(hint, "the preview's %s would answer for %s, not %s", of, short(h), c.app.Host)
			}
		}
	}
	if len(proxies) == 0 {
		c.add(hint, "the preview has no role that takes requests")
	}
}

func (c *checker) labels() {
	check := func(of string, got map[string]string, want map[string]string) {
		for _, name := range kamalLabels {
			if w, known := want[name]; known && got[name] != w {
				c.add("Kamal finds containers by it: leave it out of labels", "the label %s of the preview's %s is %q, not %q", name, of, short(got[name]), w)
			}
		}
	}
	for _, name := range keys(c.is.Roles) {
		check("role "+name, c.is.Roles[name].Labels, map[string]string{"service": c.app.Service, "role": name, "destination": c.app.Destination})
	}
	for _, name := range keys(c.is.Accessories) {
		r := c.is.Accessories[name]
		if !slices.Contains(c.shared, name) {
			check("accessory "+name, r.Labels, map[string]string{"service": r.Service})
		}
	}
}

func (c *checker) accessories() {
	for _, name := range keys(c.is.Accessories) {
		r := c.is.Accessories[name]
		if slices.Contains(c.shared, name) {
			continue
		}
		hint := fmt.Sprintf("name it under %s, or tell that it is shared (shared-accessories: %s)", c.app.Service, name)
		if r.Service == c.app.Service || !c.app.owns(r.Service) {
			c.add(hint, "the preview's accessory %s is %s, which is not its own", name, short(r.Service))
		}
		if c.production == nil || r.Port == "" {
			continue
		}
		for _, other := range keys(c.production.Accessories) {
			p := c.production.Accessories[other]
			if p.Port != "" && published(p.Port) == published(r.Port) && overlap(p.Hosts, r.Hosts) {
				c.add(fmt.Sprintf(`write port: "127.0.0.1::%s" in %s: Docker then takes a free one`, inside(r.Port), c.file()), "the preview's accessory %s publishes port %s, which production's %s has", name, published(r.Port), other)
			}
		}
	}
	for _, name := range c.shared {
		if _, ok := c.is.Accessories[name]; !ok {
			c.add("", "the shared accessory %s is not in the configuration", short(name))
		}
	}
}

// inside is the container's port.
func inside(port string) string { return port[strings.LastIndex(port, ":")+1:] }

// published is the host's port of "[ADDRESS:]HOST:CONTAINER".
func published(port string) string {
	parts := strings.Split(port, ":")
	if len(parts) < 2 {
		return port
	}
	return parts[len(parts)-2]
}

func (c *checker) volumes() {
	taken := map[string]string{}
	if c.production != nil {
		note := func(of string, specs []string) {
			for _, spec := range specs {
				if source, _ := volume(spec); source != "" {
					taken[source] = of
				}
			}
		}
		note("app", c.production.Volumes)
		for name, a := range c.production.Accessories {
			note("accessory "+name, a.Volumes)
		}
	}
	check := func(of string, specs []string) {
		for _, spec := range specs {
			source, read := volume(spec)
			if whose, used := taken[source]; used && source != "" && !read {
				c.add("name it after the preview's service, or mount it read only (:ro)",
					"the preview's %s would write to %s, which production's %s uses", of, short(source), whose)
			}
		}
	}
	check("app", c.is.Volumes)
	for _, name := range keys(c.is.Accessories) {
		if !slices.Contains(c.shared, name) {
			check("accessory "+name, c.is.Accessories[name].Volumes)
		}
	}
}

// own is the names of the preview's own accessories, in order.
func (s Safety) own(r Resolved) []string {
	var list []string
	for _, name := range keys(r.Accessories) {
		if !slices.Contains(s.SharedAccessories, name) {
			list = append(list, name)
		}
	}
	return list
}

// CheckItems refuses a review run that would read an item which production's
// secrets are in. It is a guard against mistakes: the boundary between previews and
// production is a service account of the previews' own. Items are vault/item;
// production's are to be read from the base commit, which the pull request cannot
// change.
func CheckItems(production, preview []string) error {
	var list problem.List
	seen := map[string]bool{}
	for _, item := range preview {
		at := strings.ToLower(item)
		if seen[at] || !slices.ContainsFunc(production, func(p string) bool { return strings.EqualFold(p, item) }) {
			continue
		}
		seen[at] = true
		list = append(list, &problem.Problem{
			Message: fmt.Sprintf("the preview would read op://%s, where production's secrets are", short(item)),
			Hint:    "give previews an item and a service account of their own; --shared-secrets allows it", Status: problem.Found,
		})
	}
	return list.Err()
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(h string) bool { return slices.Contains(b, h) })
}

// keys is a map's keys, sorted, so that problems come in one order.
func keys[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
