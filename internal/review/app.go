package review

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/kamal-op/kamal-op/internal/lazy"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// Defaults of a project's review apps.
const (
	DefaultDestination = "review"
	DefaultEnvironment = "review" // GitHub's; one for all, since a workflow's token can delete none
	MaxHost            = 62       // characters; longer ones get no certificate of Let's Encrypt's
	maxNumber          = 999_999_999
)

// An App is one preview: the names that everything of it goes by.
type App struct {
	Number      int
	Base        string // the project's service
	Service     string // BASE-pr-N
	Host        string
	SHA         string // the head commit, 40 hexadecimal digits; "" where it is not known, as in a sweep
	Version     string // pr-N-SHA
	Destination string
	Repository  string // OWNER/NAME on GitHub, "" where it is not known
}

// Kamal's rule for a service's name, without upper case (Docker's names are compared as they are).
var serviceName = lazy.Regexp(`^[a-z0-9][a-z0-9_-]*$`)

var (
	destinationName = lazy.Regexp(`^[a-z0-9][a-z0-9_-]*$`)
	hostLabel       = lazy.Regexp(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	fullSHA         = lazy.Regexp(`^[0-9a-f]{40}([0-9a-f]{24})?$`)
)

// NewApp names a preview. host is a template with {number}, {app} (pr-N) or
// {service}, or a domain alone, which is taken for {app}.DOMAIN. sha may be ""
// where the commit does not matter.
func NewApp(service, host, destination string, number int, sha string) (App, error) {
	a := App{Number: number, Base: service, SHA: sha, Destination: destination}
	if a.Destination == "" {
		a.Destination = DefaultDestination
	}
	switch {
	case number < 0 || number > maxNumber:
		return a, problem.Newf("%d is no pull request's number", number)
	case sha != "" && !fullSHA().MatchString(sha):
		return a, problem.Newf("%q is no commit", short(sha))
	case !serviceName().MatchString(service):
		return a, problem.Usagef("Kamal takes lower-case letters, digits, - and _", "%q is no service's name", short(service))
	case !destinationName().MatchString(a.Destination):
		return a, problem.Usagef("take lower-case letters, digits, - and _", "%q is no destination", short(a.Destination))
	}
	a.Service = a.Name(number)
	a.Version = "pr-" + strconv.Itoa(number)
	if sha != "" {
		a.Version += "-" + sha
	}
	var err error
	a.Host, err = hostOf(host, a)
	return a, err
}

// Name is the service of another preview of the same project.
func (a App) Name(number int) string { return a.Base + "-pr-" + strconv.Itoa(number) }

// hostOf fills in a template.
func hostOf(template string, a App) (string, error) {
	t := strings.TrimSpace(template)
	if !strings.Contains(t, "{") {
		t = "{app}." + strings.TrimPrefix(t, ".")
	}
	hint := "for example {app}.review.example.com, with a wildcard record in the DNS"
	if !strings.Contains(t, "{app}") && !strings.Contains(t, "{number}") && !strings.Contains(t, "{service}") {
		return "", problem.Usagef(hint, "the host %q is the same for every pull request", short(template))
	}
	host := strings.NewReplacer("{app}", "pr-"+strconv.Itoa(a.Number), "{number}", strconv.Itoa(a.Number), "{service}", a.Service).Replace(t)
	if len(host) > MaxHost {
		return "", problem.Usagef("Let's Encrypt gives no certificate for a longer one", "the host %s has %d characters, more than %d", short(host), len(host), MaxHost)
	}
	labels := strings.Split(host, ".")
	if len(labels) < 2 {
		return "", problem.Usagef(hint, "the host %q has no domain", short(host))
	}
	for _, l := range labels {
		if !hostLabel().MatchString(l) {
			return "", problem.Usagef(hint, "%q is no host", short(host))
		}
	}
	return host, nil
}

// URL is where the preview answers; port 0 is the usual one.
func (a App) URL(tls bool, port int) string {
	scheme := "http"
	if tls {
		scheme = "https"
	}
	if port == 0 {
		return scheme + "://" + a.Host
	}
	return scheme + "://" + net.JoinHostPort(a.Host, strconv.Itoa(port))
}

// Env is what the project's configuration takes a preview's names from.
func (a App) Env() []string {
	return []string{
		"REVIEW_APP=pr-" + strconv.Itoa(a.Number),
		"REVIEW_SERVICE=" + a.Service,
		"REVIEW_HOST=" + a.Host,
		"REVIEW_NUMBER=" + strconv.Itoa(a.Number),
		"REVIEW_VERSION=" + a.Version,
		// For LabelsPreload.
		"REVIEW_OF=" + a.Base,
		"REVIEW_REPOSITORY=" + a.Repository,
	}
}

// The labels that a preview's containers and images are known by.
const (
	labelService    = "kamal-op.review.service"
	labelRepository = "kamal-op.review.repository"
	labelNumber     = "kamal-op.review.number"
)

// Labels are what the preview's containers and images bear, beside Kamal's own
// labels: what lacks them is somebody else's, whatever its name.
func (a App) Labels() map[string]string {
	return map[string]string{labelService: a.Base, labelRepository: a.Repository, labelNumber: strconv.Itoa(a.Number)}
}

// Args are the arguments that every Kamal command of a preview has.
func (a App) Args() []string { return []string{"-d", a.Destination, "--version", a.Version} }

// Task is what the preview's deployments go by on GitHub.
func (a App) Task() string { return "deploy:" + a.Service }

// Marker is what its comment is known by.
func (a App) Marker() string { return "kamal-op:review:" + a.Service }

func (a App) String() string { return fmt.Sprintf("pull request %d (%s)", a.Number, a.Service) }

// numberOf reads a service's name, or that of an accessory of a preview
// (SERVICE-pr-N-ACCESSORY): pr-1 is not pr-10, and pr-01 is nobody.
func numberOf(base, name string) (number int, accessory string, ok bool) {
	rest, ok := strings.CutPrefix(name, base+"-pr-")
	if !ok {
		return 0, "", false
	}
	digits, accessory, cut := strings.Cut(rest, "-")
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || n > maxNumber || strconv.Itoa(n) != digits || cut && accessory == "" {
		return 0, "", false
	}
	return n, accessory, true
}

// owns says whether something that is named freely (a volume, a folder) is the
// preview's: its service's name, alone or before a - or _ or a dot.
func (a App) owns(name string) bool {
	rest, ok := strings.CutPrefix(name, a.Service)
	return ok && (rest == "" || rest[0] == '-' || rest[0] == '_' || rest[0] == '.')
}
