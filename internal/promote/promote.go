package promote

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/plan"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A Choice is what a person wants promoted.
type Choice struct {
	From, To      string // destinations; "" is Kamal's configuration without one
	Version       string // "" is the one that From runs
	AcceptBuildOf string // From, where it is known that To would have been built otherwise
	CopyImage     bool   // where To looks for it in another repository, or in another registry
}

// An Image is one version of the app as a destination runs it.
type Image struct {
	Repository string   `json:"repository"`
	Version    string   `json:"version"`
	Digests    []string `json:"digests"` // by which registries have it
	IDs        []string `json:"ids"`     // that hosts have given it, one for each platform
	Hosts      []string `json:"hosts"`   // that run it
	Service    string   `json:"-"`       // that its label says it is of
}

// Image is what is promoted, of what From runs.
func (c Choice) Image(from Report) (Image, error) {
	version, err := c.version(from)
	if err != nil {
		return Image{}, err
	}
	i := Image{Repository: from.Repository, Version: version}
	for _, at := range from.Containers {
		if at.Version != version {
			continue
		}
		if len(i.IDs) == 0 {
			i.Service, i.Digests = at.Service, slices.Clone(at.Digests)
		}
		// On each host it is to be the same by a digest, or the same by its id.
		if len(i.IDs) > 0 && !slices.Contains(i.IDs, at.Image) && !slices.ContainsFunc(at.Digests, func(d string) bool { return slices.Contains(i.Digests, d) }) {
			p := problem.Newf("%s runs two images under the version %s: one on %s, and another on %s", Name(c.From), version, strings.Join(i.Hosts, ", "), at.Host)
			p.Hint = "deploy to " + Name(c.From) + " again, so that one is tested"
			return Image{}, p
		}
		i.IDs = add(i.IDs, at.Image)
		i.Digests = add(i.Digests, at.Digests...)
		i.Hosts = add(i.Hosts, at.Host)
	}
	return i, nil
}

// version is the one to promote.
func (c Choice) version(from Report) (string, error) {
	on := map[string][]string{}
	var versions []string
	for _, at := range from.Containers {
		if at.Version != "" {
			versions = add(versions, at.Version)
			on[at.Version] = add(on[at.Version], at.Host+" ("+at.Role+")")
		}
	}
	slices.Sort(versions)
	var runs []string
	for _, v := range versions {
		runs = append(runs, v+" on "+strings.Join(on[v], ", "))
	}
	p := &problem.Problem{Status: problem.Found}
	if c.Version == "" {
		for _, u := range from.Unreached {
			p.Details = append(p.Details, u.Host+" could not be asked: "+u.Why)
		}
	}
	switch {
	case c.Version != "" && slices.Contains(versions, c.Version):
		return c.Version, nil
	case c.Version != "":
		p.Message, p.Details, p.Hint = Name(c.From)+" does not run the version "+c.Version, append(p.Details, runs...), "promote what runs there, or deploy the version there first"
	case len(p.Details) > 0:
		p.Message, p.Status = "what all hosts of "+Name(c.From)+" run is not known", problem.Partial
		p.Hint = "promote when they are back, or name the version with --version"
	case len(versions) == 0:
		p.Message, p.Hint = Name(c.From)+" runs nothing", "deploy there first"
	case len(versions) > 1:
		p.Message, p.Details, p.Hint = Name(c.From)+" runs different versions", runs, "choose one with --version, or deploy there again"
	default:
		return versions[0], nil
	}
	return "", p
}

// Check says what keeps an image from being promoted: all of it. differences are the parts
// of the builder's configuration that differ, and were accepted where there is no error.
func (c Choice) Check(i Image, from, to Report, p plan.Plan) (differences []string, err error) {
	var problems problem.List
	if i.Service != to.Service {
		problems = append(problems, problem.New(
			fmt.Sprintf("the image that %s runs is of the service %q, and %s deploys the service %q: Kamal takes no image of another service", Name(c.From), i.Service, Name(c.To), to.Service),
			"give both destinations one service: Kamal tells their containers apart by the destination"))
	}
	if differences = from.Build.Differences(to.Build); len(differences) > 0 && c.AcceptBuildOf == "" {
		d := problem.Newf("%s would not have been built as %s was: %s", Name(c.To), Name(c.From), strings.Join(differences, ", "))
		d.Hint = "make them the same in both destinations, or accept what was tested with --accept-build-of " + kamal.ShellWord(c.From)
		problems = append(problems, d)
	}
	if p.Image.State == plan.ToBeBuilt && !c.Copies(i, to) {
		m := problem.Newf("the registry has no %s", p.Image.Name)
		m.Hint = "push it there by its digest, or deploy it to " + Name(c.From) + " again"
		if copied := c.CopyLine(i, to); copied != "" {
			m.Hint = "copy it by its digest: with --copy-image, or by " + copied
		}
		problems = append(problems, m)
	}
	return differences, problems.Err()
}

// Copies says whether the image is copied to where To looks for it, before it is deployed.
func (c Choice) Copies(i Image, to Report) bool {
	return c.CopyImage && to.Repository != i.Repository && len(i.Digests) > 0
}

// CopyLine copies an image to where To looks for it, "" where that is where it is. It is
// for a shell with both logins, and keeps the digest.
func (c Choice) CopyLine(i Image, to Report) string {
	if to.Repository == i.Repository || len(i.Digests) == 0 {
		return ""
	}
	return "docker buildx imagetools create --prefer-index=false --tag " + kamal.ShellWord(to.Repository+":"+i.Version) + " " + kamal.ShellWord(i.Repository+"@"+i.Digests[0])
}

// Environment holds a deploy to To to the image, for Hold.
func (c Choice) Environment(i Image, to Report) ([]string, error) {
	text, err := json.Marshal(map[string]any{
		"name": to.Repository + ":" + i.Version, "from": Name(c.From), "ids": append([]string{}, i.IDs...), "digests": append([]string{}, i.Digests...),
	})
	if err != nil {
		return nil, fmt.Errorf("writing down what is promoted: %w", err)
	}
	return []string{"KAMAL_OP_PROMOTED=" + string(text)}, nil
}

// Everywhere says whether all of a destination runs the image, as far as it was asked.
func (i Image) Everywhere(r Report) bool {
	return len(r.Containers) > 0 && len(r.Unreached) == 0 && len(i.Elsewhere(r)) == 0
}

// Elsewhere are the places of a destination that do not run the image.
func (i Image) Elsewhere(r Report) (others []Container) {
	for _, at := range r.Containers {
		same := slices.Contains(i.IDs, at.Image) || slices.ContainsFunc(at.Digests, func(d string) bool { return slices.Contains(i.Digests, d) })
		if at.Version != i.Version || !same {
			others = append(others, at)
		}
	}
	return others
}

// Short is how the image is named in a sentence: by its digest, where it has one.
func (i Image) Short() string {
	digest := append(slices.Clone(i.Digests), i.IDs...)[0]
	return digest[:len("sha256:")+12]
}

// Name is what a destination is called.
func Name(destination string) string {
	if destination == "" {
		return "the configuration without a destination"
	}
	return destination
}

// add is a list with what it does not have yet.
func add(list []string, more ...string) []string {
	for _, text := range more {
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}
