package review

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
)

// A Listed is one preview as `review list` and `review status` show it.
type Listed struct {
	Number   int       `json:"number"`
	Service  string    `json:"service"`
	URL      string    `json:"url"`
	Running  bool      `json:"running"`
	Deployed time.Time `json:"deployed,omitzero"`
	Hosts    []string  `json:"hosts"`
	Pull     string    `json:"pull"` // open, closed; "" where GitHub was not asked
	Things   []string  `json:"things,omitempty"`
	// NotOurs is what has the preview's name and not our labels; with nothing else of
	// it there, it is no preview of ours.
	NotOurs []string `json:"notOurs,omitempty"`
}

// List is every preview on the hosts, by number; number other than 0 only that one,
// with everything of it. The error says which hosts were silent; what the others
// said is given all the same.
func (r *Review) List(ctx context.Context, number int) ([]Listed, error) {
	nobody, config, production, err := r.configured(ctx)
	if err != nil {
		return nil, err
	}
	i, err := r.inventory(ctx, config.Hosts, production)
	if err != nil {
		return nil, err
	}
	var list []Listed
	for _, p := range i.Previews {
		if number != 0 && p.Number != number {
			continue
		}
		l, err := r.listed(ctx, p, config, nobody)
		if err != nil {
			return nil, err
		}
		if number != 0 {
			l.Things = p.Left()
		}
		list = append(list, l)
	}
	for _, f := range i.Foreign {
		if number != 0 && f.Number != number {
			continue
		}
		at := slices.IndexFunc(list, func(l Listed) bool { return l.Number == f.Number })
		if at < 0 {
			at = len(list)
			list = append(list, Listed{Number: f.Number, Service: nobody.Name(f.Number)})
		}
		list[at].NotOurs = append(list[at].NotOurs, f.String())
	}
	slices.SortFunc(list, func(a, b Listed) int { return cmp.Compare(a.Number, b.Number) })
	return list, silent(i)
}

// configured is what Kamal makes of the project for previews, and for production.
func (r *Review) configured(ctx context.Context) (nobody App, config resolved.Configuration, production *resolved.Configuration, err error) {
	if nobody, err = r.nobody(); err != nil {
		return nobody, config, nil, err
	}
	if production, err = r.production(ctx); err != nil {
		return nobody, config, nil, err
	}
	config, err = r.resolve(ctx, nobody)
	return nobody, config, production, err
}

// Ours says whether anything of the preview's own is there.
func (l Listed) Ours() bool { return len(l.Hosts) > 0 }

// listed is one preview, as it is shown.
func (r *Review) listed(ctx context.Context, p Preview, config resolved.Configuration, nobody App) (Listed, error) {
	l := Listed{Number: p.Number, Service: p.Service, Running: p.Running(), Deployed: p.Deployed()}
	a, err := r.app(p.Number, "")
	if err != nil {
		return l, err
	}
	l.URL, _ = address(a, asAnother(config, nobody, a))
	for _, h := range p.Hosts {
		l.Hosts = append(l.Hosts, h.Host)
	}
	if r.GitHub == nil {
		return l, nil
	}
	open, err := r.isOpen(ctx, p.Number)
	if err != nil {
		return l, err
	}
	l.Pull = "closed"
	if open {
		l.Pull = "open"
	}
	return l, nil
}

// asAnother is the configuration of one preview as that of another: what differs is the
// host.
func asAnother(c resolved.Configuration, one, other App) resolved.Configuration {
	roles := map[string]resolved.Role{}
	for name, role := range c.Roles {
		if role.Proxy != nil {
			p := *role.Proxy
			p.Hosts = append([]string(nil), p.Hosts...)
			for i, h := range p.Hosts {
				if h == one.Host {
					p.Hosts[i] = other.Host
				}
			}
			role.Proxy = &p
		}
		roles[name] = role
	}
	c.Roles = roles
	return c
}
