package promote

import (
	"maps"
	"slices"
	"strings"
)

// A Build is what an image is built of, beside the files of the commit. Of arguments and
// secrets there are digests.
type Build struct {
	Args       map[string]string `json:"args"`
	Secrets    map[string]string `json:"secrets"`
	Platforms  []string          `json:"platforms"`
	Dockerfile string            `json:"dockerfile"`
	Target     string            `json:"target"`
	Context    string            `json:"context"`
	Pack       []string          `json:"pack"` // the builder and the buildpacks, where there are some
}

// Differences are the parts in which two builds differ, by their names.
func (b Build) Differences(other Build) (names []string) {
	for _, kind := range []struct {
		what   string
		one, o map[string]string
	}{{"builder.args.", b.Args, other.Args}, {"builder.secrets ", b.Secrets, other.Secrets}} {
		all := slices.AppendSeq(slices.Collect(maps.Keys(kind.one)), maps.Keys(kind.o))
		slices.Sort(all)
		for _, name := range slices.Compact(all) {
			one, there := kind.one[name]
			if o, also := kind.o[name]; there != also || one != o {
				names = append(names, kind.what+name)
			}
		}
	}
	for _, part := range []struct {
		what   string
		differ bool
	}{
		{"builder.arch", !slices.Equal(slices.Sorted(slices.Values(b.Platforms)), slices.Sorted(slices.Values(other.Platforms)))},
		{"builder.dockerfile", b.Dockerfile != other.Dockerfile},
		{"builder.target", b.Target != other.Target},
		{"builder.context", b.Context != other.Context},
		{"builder.pack", !slices.Equal(b.Pack, other.Pack)},
	} {
		if part.differ {
			names = append(names, part.what)
		}
	}
	return names
}

// isDigest says whether a text is a digest as registries write it.
func isDigest(text string) bool {
	hex, ok := strings.CutPrefix(text, "sha256:")
	return ok && len(hex) == 64 && strings.Trim(hex, "0123456789abcdef") == ""
}
