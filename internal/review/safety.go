package review

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Safety is what a preview may touch besides its own.
type Safety struct {
	// SharedAccessories are accessories of the preview's configuration that are not
	// its own: one database for all. They are never booted, stopped or removed.
	SharedAccessories []string
	// AllowOptions are options of docker run that a preview may have although they
	// are not its own: NAME, or NAME=VALUE with {service} and {number} filled in.
	AllowOptions []string
}

// Check holds the configuration that Kamal resolves for a preview against the
// preview's names, and against production's, and gives every way in which the
// preview would touch another app. production is nil where there is none.
func (s Safety) Check(a App, preview resolved.Configuration, production *resolved.Configuration) error {
	c := checker{app: a, is: preview, production: production, shared: s.SharedAccessories, allowed: s.AllowOptions}
	c.names()
	c.hosts()
	c.accessories()
	c.runs()
	return c.list.Err()
}

type checker struct {
	app        App
	is         resolved.Configuration
	production *resolved.Configuration
	shared     []string
	allowed    []string
	list       problem.List
}

// add adds a problem, once: a role runs on many hosts.
func (c *checker) add(hint, format string, args ...any) {
	p := &problem.Problem{Message: fmt.Sprintf(format, args...), Hint: hint, Status: problem.Found}
	if !slices.ContainsFunc(c.list, func(known *problem.Problem) bool { return known.Message == p.Message }) {
		c.list = append(c.list, p)
	}
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
		for of, p := range c.production.Proxies() {
			for _, h := range p.Hosts {
				taken[strings.ToLower(h)] = of
			}
		}
	}
	proxies := c.is.Proxies()
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

// labels holds the labels that a container will have against those by which it is
// found: the last of a name counts.
func (c *checker) labels(of string, run dockerRun, want map[string]string) {
	got := map[string]string{}
	for _, o := range run.options {
		if o.name == "label" {
			name, value, _ := strings.Cut(o.value, "=")
			got[name] = value
		}
	}
	for _, name := range keys(want) {
		if got[name] != want[name] {
			c.add("containers are found by it: leave it out of labels and options", "the label %s of the preview's %s is %q, not %q", name, of, short(got[name]), want[name])
		}
	}
}

// with is Kamal's labels and ours.
func (c *checker) with(labels map[string]string) map[string]string {
	maps.Copy(labels, c.app.Labels())
	return labels
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
	}
	for _, name := range c.shared {
		if _, ok := c.is.Accessories[name]; !ok {
			c.add("", "the shared accessory %s is not in the configuration", short(name))
		}
	}
}

// runs judges what Kamal will really run on the hosts: the lines of its own
// commands, since options come from several places of deploy.yml, and production's
// are merged into the preview's.
func (c *checker) runs() {
	for _, name := range keys(c.is.Roles) {
		labels := c.with(map[string]string{"service": c.app.Service, "role": name, "destination": c.app.Destination})
		c.run("role "+name, c.is.Roles[name].Run, c.is.Image+":"+c.is.Version, labels)
	}
	for _, name := range keys(c.is.Accessories) {
		r := c.is.Accessories[name]
		if !slices.Contains(c.shared, name) {
			c.run("accessory "+name, r.Run, r.Image, c.with(map[string]string{"service": r.Service}))
		}
	}
	c.proxyRuns()
}

// run judges the lines of one role or accessory, one for each host.
func (c *checker) run(of string, lines []string, image string, labels map[string]string) {
	if len(lines) == 0 {
		c.add("", "how Kamal would run the preview's %s is not known", of)
	}
	for _, line := range lines {
		run, ok := c.parse(of, line, image)
		if !ok {
			continue
		}
		c.options(of, run, c.app.ownOption)
		if run.image != image {
			c.add("", "the preview's %s would run the image %s, not %s", of, short(run.image), short(image))
		}
		c.labels(of, run, labels)
	}
}

func (c *checker) parse(of, line, image string) (dockerRun, bool) {
	run, err := parseDockerRun(line, image)
	if err != nil {
		c.add("the host's shell reads the line: put a command of several parts into quotes, sh -c '…'", "the preview's %s is not one docker run: there is %v", of, err)
	}
	return run, err == nil
}

// options refuses each option that is not the preview's own, by name.
func (c *checker) options(of string, run dockerRun, own func(dockerOption) bool) {
	for _, o := range run.options {
		if own(o) || c.allows(o) {
			continue
		}
		yes, shown := o.name, o.String()
		if o.shown() != "" {
			yes += "=" + o.value
		}
		if o.name == "env" || o.name == "label" {
			// Its value is nobody's business; it is only here for what the shell does with it.
			name, _, _ := strings.Cut(o.value, "=")
			shown, yes = "--"+o.name+" "+name, o.name
		}
		c.add(c.remedy(o)+"; --allow-option '"+line(yes, 300)+"' says that it shall be", "the preview's %s would run with %s, which is not its own", of, short(shown))
	}
}

// remedy is what helps against an option.
func (c *checker) remedy(o dockerOption) string {
	switch o.name {
	case "volume", "mount":
		return fmt.Sprintf("name it after %s, or leave it out in %s: volumes: [], or options: {%s: []} of the role or accessory", c.app.Service, c.file(), o.name)
	case "publish":
		return fmt.Sprintf(`write "127.0.0.1::%s" in %s: Docker then takes a free one`, inside(o.value), c.file())
	}
	return fmt.Sprintf("leave it out in %s: options: {%s: []} of the role or accessory", c.file(), o.name)
}

// allows says whether somebody has said yes to an option: NAME, or NAME=VALUE with
// {service} and {number} filled in.
func (c *checker) allows(o dockerOption) bool {
	fill := strings.NewReplacer("{service}", c.app.Service, "{number}", strconv.Itoa(c.app.Number))
	return slices.ContainsFunc(c.allowed, func(allowed string) bool {
		name, value, given := strings.Cut(strings.TrimLeft(allowed, "-"), "=")
		return dockerName(name) == o.name && (!given || fill.Replace(value) == o.value)
	})
}

// proxyImage is kamal-proxy's, whose version Kamal chooses.
const proxyImage = "basecamp/kamal-proxy:"

// proxyRuns judges how kamal-proxy is run where a host has none yet: it is everybody's
// on that host, so it may be as Kamal has it, or exactly as production has it.
func (c *checker) proxyRuns() {
	const of = "kamal-proxy"
	var productions []dockerOption
	images := map[string]bool{}
	if c.production != nil {
		for _, line := range c.production.ProxyRun {
			if run, err := parseDockerRun(line, ""); err == nil {
				productions = append(productions, run.options...)
				images[run.image] = true
			}
		}
	}
	for _, text := range c.is.ProxyRun {
		run, ok := c.parse(of, text, "")
		if !ok {
			continue
		}
		c.options(of, run, func(o dockerOption) bool {
			return ownOfProxy(o) || slices.Contains(productions, o)
		})
		if !strings.HasPrefix(run.image, proxyImage) && !images[run.image] && !c.allows(dockerOption{name: "image", value: run.image}) {
			c.add("leave it to production's proxy/run; --allow-option 'image="+line(run.image, 300)+"' says that it shall be", "the preview's %s would run the image %s", of, short(run.image))
		}
	}
}

// ownOfProxy knows what Kamal itself runs kamal-proxy with.
func ownOfProxy(o dockerOption) bool {
	switch o.name {
	case "name":
		return o.value == "kamal-proxy"
	case "network":
		return o.value == "kamal"
	case "volume":
		return o.value == "kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy" ||
			o.value == "$PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config"
	case "publish":
		return inside(o.value) == "80" || inside(o.value) == "443"
	}
	return !o.loose && slices.Contains(harmless, o.name)
}

// inside is the container's port of what is published.
func inside(port string) string { return port[strings.LastIndex(port, ":")+1:] }

// own is the names of the preview's own accessories, in order.
func (s Safety) own(r resolved.Configuration) []string {
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

// keys is a map's keys, sorted, so that problems come in one order.
func keys[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
