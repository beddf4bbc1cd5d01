package review

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/lazy"
)

// What of a host's own words may stand in a script.
var (
	safeName  = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	safePath  = lazy.Regexp(`^\.?[A-Za-z0-9][A-Za-z0-9_./-]*$`)
	hexID     = lazy.Regexp(`^[0-9a-f]{12,64}$`)
	imageID   = lazy.Regexp(`^sha256:[0-9a-f]{64}$`)
	safeImage = lazy.Regexp(`^[A-Za-z0-9][A-Za-z0-9_./:@-]*$`)
)

// removeScript removes what Kamal leaves, or does not know, of a preview on one
// host: by our labels, and by the names that were found there beside what bears them.
func removeScript(a App, l Leftovers, config resolved.Configuration, production *resolved.Configuration, s Safety) string {
	var do []string
	add := func(format string, args ...any) { do = append(do, fmt.Sprintf(format, args...)) }
	var volumes []string
	for _, c := range l.Containers {
		volumes = append(volumes, slices.DeleteFunc(slices.Clone(c.volumes), func(v string) bool { return !anonymous(v) })...)
	}
	ours := "--filter label=" + labelService + "=" + a.Base + " --filter label=" + labelRepository + "=" + a.Repository + " --filter label=" + labelNumber + "=" + strconv.Itoa(a.Number)
	for _, route := range l.Routes {
		if safeName().MatchString(route) {
			add(`docker exec kamal-proxy kamal-proxy remove %s >/dev/null 2>&1`, route)
		}
	}
	add(`a=$(docker ps -aq %s); [ -z "$a" ] || docker rm -f -v $a >/dev/null`, ours)
	for _, v := range append(volumes, l.Volumes...) {
		if safeName().MatchString(v) {
			add(`docker volume rm %s >/dev/null 2>&1`, v)
		}
	}
	images := accessoryImages(a, l, config, production, s)
	for _, f := range l.Files {
		if !safePath().MatchString(f) || strings.Contains(f, "..") || strings.HasPrefix(f, ".kamal/lock-") {
			continue // a lock is released by its owner, or by Kamal
		}
		// What a container's own user has written there, the user who logs in may
		// not be able to delete: the accessory's image deletes it as root.
		if image := images[f]; image != "" {
			add(`rm -rf %[1]s 2>/dev/null || { docker run --rm --network none --user 0 --entrypoint sh -v "$PWD/%[1]s:/kamal-op" %[2]s -c "rm -rf /kamal-op/* /kamal-op/.[!.]*" >/dev/null 2>&1; rm -rf %[1]s; }`, f, image)
			continue
		}
		add(`rm -rf %s`, f)
	}
	add(`docker image prune -af %s >/dev/null`, ours)
	for _, image := range l.Images {
		if imageID().MatchString(image) {
			add(`%s`, removeImage(image))
		}
	}
	for _, service := range keys(images) {
		image := images[service]
		add(`[ -n "$(docker ps -aq --filter ancestor=%[1]s)" ] || docker image rm %[1]s >/dev/null 2>&1`, image)
	}
	add(`true`)
	return strings.Join(do, "; ")
}

// removeImage removes an image that no container is made of.
func removeImage(id string) string {
	return fmt.Sprintf(`[ -n "$(docker ps -aq --filter ancestor=%[1]s)" ] || docker image rm -f %[1]s >/dev/null 2>&1`, id)
}

// accessoryImages is the images, by their service, of those of the preview's own
// accessories that are on the host, but for those that production uses too.
func accessoryImages(a App, l Leftovers, config resolved.Configuration, production *resolved.Configuration, s Safety) map[string]string {
	all := map[string]string{}
	for _, name := range s.own(config) {
		r := config.Accessories[name]
		if !l.has(a, r.Service) && !slices.Contains(l.Files, r.Service) {
			continue // it was never there, or is another's
		}
		shared := false
		if production != nil {
			for _, p := range production.Accessories {
				shared = shared || p.Image == r.Image
			}
		}
		for _, other := range s.SharedAccessories {
			shared = shared || config.Accessories[other].Image == r.Image
		}
		if !shared && safeImage().MatchString(r.Image) {
			all[r.Service] = r.Image
		}
	}
	return all
}
