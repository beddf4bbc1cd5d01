package ci

import "github.com/kamal-op/kamal-op/internal/gate"

// newForge is Gitea Actions or Forgejo Actions. Their runners, which descend
// from act, take GitHub's commands and files. They mask the value of add-mask
// as it is given, not its lines, which is why every line is given by itself;
// and they know no annotations, so that a problem must read well as a line.
func newForge(name string, env map[string]string, g *gate.Gate, out *gate.Stream, o Options) System {
	f := newGitHub(env, g, out, o)
	f.name = name
	return f
}
