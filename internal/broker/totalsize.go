package broker

import (
	"cmp"
	"maps"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// checkTotalSize is the problem of all values together: what Kamal starts on this machine
// has them in its environment beside Kamal's own, and the system takes only so much.
func (j *evaluation) checkTotalSize() problem.List {
	most := kamal.MaxArguments()
	if most == 0 {
		return nil
	}
	all := map[string]int{}
	for _, h := range j.c.Secrets {
		all[h.Name] = len(h.Value)
	}
	built := map[string]int{}
	for _, u := range j.c.Used {
		if u.Key == "builder.secrets" {
			built[cmp.Or(u.As, u.Name)] = all[u.Name]
		}
	}
	if len(j.c.Hooks) > 0 {
		if p := j.b.totalSizeProblem(all, most, "the hook "+j.c.Hooks[0]+", which Kamal runs with every secret"); p != nil {
			return problem.List{p}
		}
	}
	if p := j.b.totalSizeProblem(built, most, "the docker that builds, which has those of builder.secrets"); p != nil {
		return problem.List{p}
	}
	return nil
}

// totalSizeProblem is a problem where values, by the length of each, are too long together for the
// environment of what Kamal starts.
func (b *Broker) totalSizeProblem(values map[string]int, most int, started string) *problem.Problem {
	b.mu.Lock()
	env := maps.Clone(b.child)
	b.mu.Unlock()
	if env == nil {
		env = map[string]int{}
	}
	maps.Copy(env, values)
	return kamal.TooLongTogether(env, values, most, started)
}
