package review

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// A kamal-op before the labels made previews without them. What is surely of such a
// one gets the labels at the preview's next deploy.

// earlierApp says whether a container without labels is that of an earlier deploy of
// the preview: by Kamal's label for the destination, and by a name that ends with the
// version which previews have.
func (f Foreign) earlierApp(a App) bool {
	if f.Kind != kindContainer || f.labelled || f.container.Accessory != "" || f.destination != a.Destination {
		return false
	}
	_, version, _ := strings.Cut(strings.TrimPrefix(f.Name, a.Service+"-"), "-"+a.Destination+"-")
	return strings.HasPrefix(f.Name, a.Service+"-") && strings.HasPrefix(version, fmt.Sprintf("pr-%d-", a.Number)) && earlierVersion().MatchString(version)
}

// earlierVersion is pr-N-SHA, and what Kamal adds where it is deployed again.
var earlierVersion = lazy.Regexp(`^pr-[0-9]+-[0-9a-f]{40}([0-9a-f]{24})?(_replaced_[0-9a-f]+)?$`)

// nameless says whether a container keeps data in a volume without a name, which a
// new container would not have.
func (f Foreign) nameless() bool { return slices.ContainsFunc(f.container.volumes, anonymous) }

// earlier is the containers of an earlier deploy of the preview: the app's, and where
// there is one of those or of ours, the accessories' too.
func (i Inventory) earlier(a App) []Foreign {
	all := i.foreign(a.Number)
	_, known := i.Find(a.Number)
	known = known || slices.ContainsFunc(all, func(f Foreign) bool { return f.earlierApp(a) })
	var list []Foreign
	for _, f := range all {
		accessory := f.Kind == kindContainer && f.container.Accessory != "" && !f.labelled
		if f.earlierApp(a) || known && accessory {
			list = append(list, f)
		}
	}
	return list
}

// taken is the problem of a preview whose name has been taken by another's container.
func (i Inventory) taken(a App) error {
	earlier := i.earlier(a)
	var list problem.List
	for _, f := range i.foreign(a.Number) {
		if f.Kind != kindContainer || slices.ContainsFunc(earlier, func(e Foreign) bool { return e.Host == f.Host && e.Name == f.Name }) {
			continue
		}
		list = append(list, &problem.Problem{
			Message: fmt.Sprintf("%s on %s has the name of the preview %s and is not ours", short(f.Name), f.Host, a.Service),
			Hint:    "Kamal would prune it as the preview's own: give previews hosts of their own, or remove it if it is a preview's of old", Status: problem.Found,
		})
	}
	return list.Err()
}

// clearEarlier removes the containers of the app that the deploy has taken the place
// of and that have no labels, with their images. One that runs stays.
func (r *Review) clearEarlier(ctx context.Context, a App, earlier []Foreign) error {
	byHost := map[string][]string{}
	for _, f := range earlier {
		if f.container.Accessory == "" && hexID().MatchString(f.container.id) && imageID().MatchString(f.container.image) {
			byHost[f.Host] = append(byHost[f.Host], "docker rm -v "+f.container.id+" >/dev/null 2>&1", removeImage(f.container.image))
		}
	}
	for _, host := range keys(byHost) {
		text := strings.Join(append(byHost[host], "true"), "; ")
		if _, err := r.remote(ctx, a, host, "Remove what an earlier version left of "+a.Service+" on "+host, text); err != nil {
			return err
		}
	}
	return nil
}
