package review

import (
	"context"
	"time"
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
}

// List is every preview on the hosts, by number; number other than 0 only that one,
// with everything of it. The error says which hosts were silent; what the others
// said is given all the same.
func (r *Review) List(ctx context.Context, number int) ([]Listed, error) {
	nobody, err := r.nobody()
	if err != nil {
		return nil, err
	}
	production, err := r.production(ctx)
	if err != nil {
		return nil, err
	}
	config, err := r.resolve(ctx, nobody)
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
		a, err := r.app(p.Number, "")
		if err != nil {
			return nil, err
		}
		l := Listed{Number: p.Number, Service: p.Service, Running: p.Running(), Deployed: p.Deployed()}
		l.URL, _ = address(a, config.as(nobody, a))
		for _, h := range p.Hosts {
			l.Hosts = append(l.Hosts, h.Host)
		}
		if number != 0 {
			l.Things = p.Left()
		}
		if r.GitHub != nil {
			open, err := r.isOpen(ctx, p.Number)
			if err != nil {
				return nil, err
			}
			l.Pull = "closed"
			if open {
				l.Pull = "open"
			}
		}
		list = append(list, l)
	}
	return list, silent(i)
}

// as is the configuration of one preview as that of another: what differs is the
// host.
func (r Resolved) as(one, other App) Resolved {
	roles := map[string]Role{}
	for name, role := range r.Roles {
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
	r.Roles = roles
	return r
}
