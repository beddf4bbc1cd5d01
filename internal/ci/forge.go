package ci

import "io"

// newForge is Gitea Actions or Forgejo Actions. Their runners, which descend
// from act, take GitHub's commands and files. They mask the value of add-mask
// as it is given, not its lines, which is why every line is given by itself;
// and they know no annotations, so that a problem must read well as a line.
func newForge(name string, env map[string]string, out io.Writer, o Options) System {
	g := newGitHub(env, out, o)
	g.name = name
	return g
}
