package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// login is what a test itself asks the registry with.
func (r *registry) login() remote.Option {
	return remote.WithAuth(&authn.Basic{Username: r.User, Password: r.Password})
}

// tag is an image of the registry.
func (r *registry) tag(t *testing.T, image string) name.Tag {
	t.Helper()
	tag, err := name.NewTag(r.Address + "/" + image)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}

// digest is by which an image stands under its name, "" where none does.
func (r *registry) digest(t *testing.T, image string) string {
	t.Helper()
	found, err := remote.Head(r.tag(t, image), r.login())
	if err != nil {
		return ""
	}
	return found.Digest.String()
}

// ofTwoPlatforms makes of an image one of two platforms, of which servers run the one.
func (r *registry) ofTwoPlatforms(t *testing.T, image string) (digest string) {
	t.Helper()
	built, err := remote.Image(r.tag(t, image), r.login())
	if err != nil {
		t.Fatal(err)
	}
	other, err := random.Image(1<<10, 1)
	if err != nil {
		t.Fatal(err)
	}
	platform := func(image v1.Image, arch string) mutate.IndexAddendum {
		return mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}}
	}
	index := mutate.AppendManifests(empty.Index, platform(built, "amd64"), platform(other, "arm64"))
	if err := remote.WriteIndex(r.tag(t, image), index, r.login()); err != nil {
		t.Fatal(err)
	}
	return r.digest(t, image)
}

// What staging runs is copied to the registry of production, which has a login of its
// own, and runs there by the same digest, with all of its platforms. What is wrong with a
// side is said of it, and nothing is copied then.
func TestPromote_CopiesToAnotherRegistry(t *testing.T) {
	t.Parallel()
	c := newScene(t, 2)
	staging, production := c.servers[0], c.servers[1]
	one := c.rig.registry
	two, err := startRegistry("production")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mustDocker(t, "rm", "-fv", two.id) })
	if err := production.reaches(two); err != nil {
		t.Fatal(err)
	}
	c.values["OTHER_REGISTRY_PASSWORD"] = two.Password
	set := func(name, value string) {
		t.Helper()
		if err := c.vault.SetField("MyApp", "Production", name, value); err != nil {
			t.Fatal(err)
		}
	}
	set("OTHER_REGISTRY_PASSWORD", two.Password)
	c.project.write("config/deploy.staging.yml", "servers:\n  web:\n    - "+staging.Address+"\n")
	c.project.write("config/deploy.production.yml", "servers:\n  web:\n    - "+production.Address+"\nimage: live/"+c.project.Service+
		"\nregistry:\n  server: "+two.Address+"\n  username: production\n  password:\n    - OTHER_REGISTRY_PASSWORD\n")
	c.project.write(".kamal/secrets.staging", passedThrough(append([]string{"KAMAL_REGISTRY_PASSWORD"}, c.project.Secrets...)...))
	c.project.write(".kamal/secrets.production", "OTHER_REGISTRY_PASSWORD=$(op read op://MyApp/Production/OTHER_REGISTRY_PASSWORD)\n"+passedThrough(c.project.Secrets...))
	first := c.project.commit()
	m := c.rig.machine(t, c.project)
	from, to := "e2e/"+c.project.Service+":", "live/"+c.project.Service+":"
	c.succeeded(m.run(c.connect(), c.command("kamal", "-d", "staging", "--", "build", "push")...))
	digest := one.ofTwoPlatforms(t, from+first)
	c.succeeded(m.run(c.connect(), c.command("deploy", "-d", "staging", "--", "-P")...))

	promote := func(status int, args ...string) result {
		t.Helper()
		m.remember()
		res := m.run(c.connect(), c.command("promote", append([]string{"--from", "staging", "--to", "production"}, args...)...)...)
		c.ended(res, status)
		c.clean(m)
		c.unlocked()
		return res
	}
	copied := "copied by its digest from " + one.Address + "/" + strings.TrimSuffix(from, ":") + "@" + digest
	var told struct {
		promotion
		Copy struct {
			From, To string
			There    bool
		}
	}
	if err := json.Unmarshal([]byte(promote(0, "--copy-image", "--dry-run", "--json").Stdout), &told); err != nil {
		t.Fatal(err)
	}
	if told.Promoted || told.Copy.There || told.Copy.To != two.Address+"/"+to+first || told.Copy.From != one.Address+"/"+strings.TrimSuffix(from, ":")+"@"+digest {
		t.Errorf("%+v", told)
	}
	for name, side := range map[string]string{"KAMAL_REGISTRY_PASSWORD": "staging", "OTHER_REGISTRY_PASSWORD": "production"} {
		set(name, "not-"+c.values[name])
		says(t, promote(3, "--copy-image"), "refuses the login of "+side, "401 Unauthorized", "registry.password of "+side)
		set(name, c.values[name])
	}
	if got := two.digest(t, to+first); got != "" {
		t.Errorf("without a promotion the other registry has %s", got)
	}

	res := promote(0, "--copy-image")
	c.captured("promote.md", "kamal-op promote --from staging --to production --copy-image", strings.ReplaceAll(res.Log, two.Address, "registry.example.net"))
	says(t, res, copied, "copying "+one.Address, "copied the image in ", "production runs "+first+" as staging does, "+digest[:19])
	if got := two.digest(t, to+first); got != digest {
		t.Errorf("the other registry has %s, want %s", got, digest)
	}
	index, err := remote.Index(two.tag(t, to+first), two.login())
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, platform := range manifest.Manifests {
		image, err := index.Image(platform.Digest)
		if err == nil {
			_, err = image.RawConfigFile()
		}
		if err != nil {
			t.Errorf("of %s there is no image: %v", platform.Platform, err)
		}
	}
	if got := production.mustExec(t, "docker", "image", "inspect", "--format", "{{json .RepoDigests}}", two.Address+"/"+to+first); !strings.Contains(got, digest) {
		t.Errorf("production has the image as %s, want %s", got, digest)
	}

	// Once it runs nothing is done; another image of the name is left where it is.
	before := c.containers()
	promote(0, "--copy-image")
	second := c.project.commit()
	c.succeeded(m.run(c.connect(), c.command("deploy", "-d", "staging")...))
	other, err := random.Image(1<<10, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(two.tag(t, to+second), other, two.login()); err != nil {
		t.Fatal(err)
	}
	theirs := two.digest(t, to+second)
	res = promote(3, "--copy-image")
	says(t, res, "the registry of production has another image as "+two.Address+"/"+to+second)
	if got := two.digest(t, to+second); got != theirs {
		t.Errorf("it was replaced by %s", got)
	}
	if got := production.mustExec(t, "docker", "ps", "--format", "{{.Names}}"); strings.Contains(got, second) || !strings.Contains(before, first) {
		t.Errorf("production runs %s", got)
	}
}
