package promote_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/plan"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/promote"
)

func digest(of string) string { return "sha256:" + strings.Repeat(of, 64) }

// at is a container of a version whose image has this id and these digests.
func at(host, version, id string, digests ...string) promote.Container {
	c := promote.Container{Host: host, Role: "web", Name: "app-web-staging-" + version, Version: version, Image: digest(id), Service: "app"}
	for _, d := range digests {
		c.Digests = append(c.Digests, digest(d))
	}
	return c
}

func TestChoice_Image(t *testing.T) {
	down := promote.Unreached{Host: "h3", Why: "refused"}
	for name, test := range map[string]struct {
		runs    []promote.Container
		down    []promote.Unreached
		version string

		want    string // the version, its ids and its digests
		refused string
		status  int
	}{
		"one host":                            {runs: []promote.Container{at("h1", "v1", "a", "d")}, want: "v1 a d"},
		"the same on each":                    {runs: []promote.Container{at("h1", "v1", "a", "d"), at("h2", "v1", "a", "d")}, want: "v1 a d"},
		"two platforms of one image":          {runs: []promote.Container{at("h1", "v1", "a", "d"), at("h2", "v1", "b", "d")}, want: "v1 ab d"},
		"one host lost the digest":            {runs: []promote.Container{at("h1", "v1", "a"), at("h2", "v1", "a", "d")}, want: "v1 a d"},
		"no host has a digest":                {runs: []promote.Container{at("h1", "v1", "a")}, want: "v1 a "},
		"a role that runs nothing":            {runs: []promote.Container{at("h1", "v1", "a", "d"), {Host: "h1", Role: "jobs"}}, want: "v1 a d"},
		"two images of one version":           {runs: []promote.Container{at("h1", "v1", "a", "d"), at("h2", "v1", "b", "e")}, refused: "two images under the version v1", status: problem.Found},
		"two versions":                        {runs: []promote.Container{at("h1", "v1", "a", "d"), at("h2", "v2", "b", "e")}, refused: "different versions", status: problem.Found},
		"two versions, and one chosen":        {runs: []promote.Container{at("h1", "v1", "a", "d"), at("h2", "v2", "b", "e")}, version: "v2", want: "v2 b e"},
		"a version that runs nowhere":         {runs: []promote.Container{at("h1", "v1", "a", "d")}, version: "v2", refused: "does not run the version v2", status: problem.Found},
		"nothing runs":                        {runs: []promote.Container{{Host: "h1", Role: "web"}}, refused: "runs nothing", status: problem.Found},
		"a host that is down":                 {runs: []promote.Container{at("h1", "v1", "a", "d")}, down: []promote.Unreached{down}, refused: "is not known", status: problem.Partial},
		"a host that is down, and one chosen": {runs: []promote.Container{at("h1", "v1", "a", "d")}, down: []promote.Unreached{down}, version: "v1", want: "v1 a d"},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := promote.Choice{From: "staging", Version: test.version}.Image(promote.Report{Repository: "r/app", Containers: test.runs, Unreached: test.down})
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) || problem.Status(err) != test.status {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			short := func(list []string) (text string) {
				for _, d := range list {
					text += d[len("sha256:"):][:1]
				}
				return text
			}
			if got := i.Version + " " + short(i.IDs) + " " + short(i.Digests); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestBuild_Differences(t *testing.T) {
	one := promote.Build{
		Args: map[string]string{"A": "1", "B": "2"}, Secrets: map[string]string{"S": "3"}, Platforms: []string{"linux/amd64", "linux/arm64"},
		Dockerfile: "Dockerfile", Context: ".",
	}
	if got := one.Differences(one); len(got) > 0 {
		t.Errorf("with itself: %q", got)
	}
	turned := one
	turned.Platforms = []string{"linux/arm64", "linux/amd64"}
	if got := one.Differences(turned); len(got) > 0 {
		t.Errorf("in another order: %q", got)
	}
	other := promote.Build{
		Args: map[string]string{"A": "other", "C": ""}, Platforms: []string{"linux/amd64"}, Dockerfile: "docker/Dockerfile", Target: "t", Context: "..", Pack: []string{"p"},
	}
	want := []string{
		"builder.args.A", "builder.args.B", "builder.args.C", "builder.secrets S", "builder.arch", "builder.dockerfile", "builder.target", "builder.context", "builder.pack",
	}
	if diff := cmp.Diff(want, one.Differences(other)); diff != "" {
		t.Error(diff)
	}
}

// All that keeps an image from being promoted is told at once.
func TestChoice_Check(t *testing.T) {
	from := promote.Report{Service: "app-staging", Repository: "s/app", Build: promote.Build{Target: "a"}}
	to := promote.Report{Service: "app", Repository: "r/app", Build: promote.Build{Target: "b"}}
	image := promote.Image{Repository: "s/app", Version: "v1", Digests: []string{digest("d")}, IDs: []string{digest("a")}, Service: "app-staging"}
	lacking := plan.Plan{Image: plan.Image{Name: "r/app:v1", State: plan.ToBeBuilt}}

	choice := promote.Choice{From: "staging", To: "production"}
	differences, err := choice.Check(image, from, to, lacking)
	if list := problem.Of(err); len(list) != 3 || !slices.Equal(differences, []string{"builder.target"}) {
		t.Errorf("%v %q", err, differences)
	}
	if p := problem.Of(err)[2]; !strings.Contains(p.Hint, "--tag r/app:v1 s/app@"+digest("d")) {
		t.Errorf("%+v", p)
	}
	choice.AcceptBuildOf = "staging"
	if differences, err = choice.Check(image, from, to, lacking); len(problem.Of(err)) != 2 || len(differences) != 1 {
		t.Errorf("accepted: %v %q", err, differences)
	}
	// It is copied only where it is to be, has a digest to be copied by, and is not there.
	for _, test := range []struct {
		copies     bool
		repository string
		digests    []string
		want       bool
	}{
		{copies: true, repository: "s/app", digests: image.Digests, want: true},
		{repository: "s/app", digests: image.Digests},
		{copies: true, repository: "r/app", digests: image.Digests},
		{copies: true, repository: "s/app"},
	} {
		c, i := choice, image
		c.CopyImage, i.Repository, i.Digests, i.Service = test.copies, test.repository, test.digests, "app"
		_, err := c.Check(i, from, to, lacking)
		if c.Copies(i, to) != test.want || (err == nil) != test.want {
			t.Errorf("%+v: %v, %v", test, c.Copies(i, to), err)
		}
		if line := c.CopyLine(i, to); (line != "") != (test.repository == "s/app" && len(test.digests) > 0) {
			t.Errorf("%+v: %s", test, line)
		}
	}
	image.Service = ""
	if _, err = choice.Check(image, from, to, plan.Plan{}); len(problem.Of(err)) != 1 {
		t.Errorf("an image without the label of a service: %v", err)
	}
	image.Service = "app"
	if _, err = choice.Check(image, from, to, plan.Plan{}); err != nil {
		t.Error(err)
	}
}

// What runs afterwards is the image by its version, and by its digest or its id.
func TestImage_Elsewhere(t *testing.T) {
	i := promote.Image{Version: "v1", Digests: []string{digest("d")}, IDs: []string{digest("a")}}
	r := promote.Report{Containers: []promote.Container{
		at("same digest", "v1", "x", "d"), at("same id", "v1", "a"), at("other image", "v1", "x", "e"), at("other version", "v2", "a", "d"), {Host: "nothing"},
	}}
	var hosts []string
	for _, c := range i.Elsewhere(r) {
		hosts = append(hosts, c.Host)
	}
	if !slices.Equal(hosts, []string{"other image", "other version", "nothing"}) {
		t.Errorf("%q", hosts)
	}
	for runs, r := range map[string]promote.Report{
		"nothing": {}, "another": {Containers: r.Containers}, "it on those that were reached": {Containers: r.Containers[:2], Unreached: []promote.Unreached{{Host: "h"}}},
	} {
		if i.Everywhere(r) {
			t.Errorf("all of what runs %s runs it", runs)
		}
	}
	if !i.Everywhere(promote.Report{Containers: r.Containers[:2]}) {
		t.Error("it runs everywhere, and is not found")
	}
}

// A deploy is held to the name that To knows the image by, and to what From has of it; in
// a sentence it is its digest, or its id where it has none.
func TestChoice_Environment(t *testing.T) {
	i := promote.Image{Repository: "s/app", Version: "v1", Digests: []string{digest("d")}, IDs: []string{digest("a")}}
	env, err := promote.Choice{From: "staging"}.Environment(i, promote.Report{Repository: "r/app"})
	want := `KAMAL_OP_PROMOTED={"digests":["` + digest("d") + `"],"from":"staging","ids":["` + digest("a") + `"],"name":"r/app:v1"}`
	if err != nil || !slices.Equal(env, []string{want}) {
		t.Errorf("%q, %v", env, err)
	}
	if got := i.Short(); got != digest("d")[:19] {
		t.Error(got)
	}
	i.Digests = nil
	if got := i.Short(); got != digest("a")[:19] {
		t.Error(got)
	}
}

// A host says what it likes: what goes into commands and messages is what can be.
func TestParse(t *testing.T) {
	line := func(c promote.Container) []byte {
		text, err := json.Marshal(promote.Report{Containers: []promote.Container{c}})
		if err != nil {
			t.Fatal(err)
		}
		return append([]byte("noise\n@kamal-op-promote "), text...)
	}
	r, err := promote.Parse(line(at("h", "v1", "a", "d")))
	if err != nil || len(r.Containers) != 1 || r.Containers[0].Version != "v1" {
		t.Errorf("%+v %v", r, err)
	}
	for name, c := range map[string]promote.Container{
		"a version": at("h", "v1;reboot", "a", "d"), "an option": at("h", "--x", "a", "d"),
		"an image of no version": {Name: "n", Image: "latest"},
		"an image":               {Name: "n", Version: "v1", Image: "latest"}, "a digest": {Name: "n", Version: "v1", Image: digest("a"), Digests: []string{"sha256:abc"}},
		"a long image": {Name: "n", Version: "v1", Image: digest("a") + "a"}, "an image in capitals": {Name: "n", Version: "v1", Image: digest("A")},
	} {
		if _, err := promote.Parse(line(c)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for _, bad := range []string{"", "@kamal-op-promote {", "x @kamal-op-promote {}"} {
		if _, err := promote.Parse([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
