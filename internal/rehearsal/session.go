package rehearsal

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kamal-op/kamal-op/internal/environ"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/owner"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// dirPrefix begins the name of every rehearsal's private directory. What is left
// of a dead rehearsal is removed under such a name only.
const dirPrefix = "kamal-op-rehearsal-"

const (
	loopback     = "127.0.0.1"
	hostUser     = "kamal"  // who logs in to the SSH host
	registryUser = "sample" // who logs in to the registry, where the project does not say
)

// A session is one rehearsal: the parts on loopback, the engine, and
// a private directory for all files.
type session struct {
	opts   Options
	tell   *printer
	env    []string // of Kamal and of commands on the SSH host
	engine *engine
	kamal  string

	otherKamals []string // to try where kamal does not load, as a binstub without its gems

	made       artifacts
	registered bool // the engine carries our labels

	key      string // the SSH key, in OPENSSH PEM
	vault    *standin.Vault
	host     *standin.SSHHost
	registry *standin.Registry
}

// newSession checks what a rehearsal needs and makes its private directory.
// Nothing but that directory is there when it returns; after an error nothing.
func newSession(ctx context.Context, opts Options, tell *printer) (*session, error) {
	if opts.Deploy == nil {
		return nil, errors.New("a rehearsal needs the main job")
	}
	if runtime.GOOS != "linux" {
		return nil, problem.New("a rehearsal needs Linux: the engine, the SSH host and the registry share its loopback",
			"run it on a Linux machine, or in a Linux virtual machine")
	}
	s := &session{opts: opts, tell: tell, env: slices.Clone(opts.Env)}
	var problems problem.List
	docker, err := s.program(opts.Docker, "docker")
	if err != nil {
		problems = append(problems, problem.New("docker is not found on PATH",
			"install Docker: https://docs.docker.com/engine/install/"))
	}
	kamals, err := s.findKamal()
	if len(kamals) > 0 {
		s.kamal, s.otherKamals = kamals[0], kamals[1:]
	}
	if usage := problem.Of(err); len(usage) > 0 && usage[0].Status == problem.Usage {
		problems = append(problems, usage...)
	} else if err != nil || len(kamals) == 0 {
		problems = append(problems, problem.New("kamal is not found: neither bin/kamal of the project nor kamal on PATH",
			"install it with `gem install kamal`, or name it with --kamal PATH; `make rehearse` needs no Kamal on this machine"))
	}
	if _, err := s.program("", "git"); err != nil {
		problems = append(problems, problem.New("git is not found on PATH", "install git: Kamal names versions after commits"))
	}
	if len(problems) > 0 {
		return nil, problems
	}
	s.engine = &engine{docker: docker, env: s.env}
	if err := s.findEngine(ctx); err != nil {
		return nil, err
	}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	return s, nil
}

// findEngine is a problem where there is no engine on this machine to rehearse
// on, or where it is in use by another kamal-proxy. What a rehearsal that was
// killed left behind is removed here.
func (s *session) findEngine(ctx context.Context) error {
	address, err := s.engine.address(ctx)
	if err != nil {
		return err
	}
	// Commands on the SSH host have another HOME, and with it another context.
	s.env = environ.List(s.env).With("DOCKER_HOST", address)
	s.engine.env = s.env
	if err := s.engine.answers(ctx); err != nil {
		return err
	}
	hostname := s.opts.Hostname
	if hostname == "" {
		if hostname, err = os.Hostname(); err != nil {
			return fmt.Errorf("asking for this machine's name: %w", err)
		}
	}
	if err := s.engine.beside(ctx, hostname); err != nil {
		return err
	}
	if err := s.engine.builds(ctx); err != nil {
		return err
	}
	labels, ok, err := s.engine.labels(ctx, "container", proxyContainer)
	if err != nil {
		return err
	}
	if ok && labels[Label] == "" {
		return problem.New("there is a kamal-proxy container on this machine that is no rehearsal's",
			"rehearse on a machine that serves nothing with Kamal. If this one is not needed: docker rm -f "+proxyContainer)
	}
	labels, ok, err = s.engine.labels(ctx, "volume", proxyVolume)
	if err != nil || !ok {
		return err
	}
	if labels[Label] == "" {
		return problem.New("there is a volume "+proxyVolume+" on this machine that is no rehearsal's",
			"a kamal-proxy keeps its routes in it. If none needs it any more: docker volume rm "+proxyVolume)
	}
	left := madeOf(labels)
	if alive(ctx, left.address) {
		return busy()
	}
	s.tell.step("a rehearsal that was killed left things behind: removing them")
	return errors.Join(s.engine.remove(ctx, left), removeDir(left))
}

// alive reports whether a rehearsal's SSH host answers at address.
func alive(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return false
	}
	banner := make([]byte, len(standin.ServerVersion))
	n, _ := conn.Read(banner)
	return string(banner[:n]) == standin.ServerVersion
}

// makeDir makes the private directory and the id that names it.
func (s *session) makeDir() error {
	id := make([]byte, 4)
	_, _ = rand.Read(id) // never fails
	s.made.id = hex.EncodeToString(id)
	parent := s.opts.TempDir
	if parent == "" {
		parent = environ.List(s.env).Get("TMPDIR")
	}
	parent, err := owner.Place(parent, "/tmp")
	if err != nil {
		return fmt.Errorf("making the rehearsal's directory: %w", err)
	}
	dir := filepath.Join(parent, dirPrefix+s.made.id)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("making the rehearsal's directory: %w", err)
	}
	s.made.dir = dir
	for _, sub := range []string{"home", "tmp", "blobs", "project", "hooks", "config"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return errors.Join(fmt.Errorf("making the rehearsal's directory: %w", err), os.RemoveAll(dir))
		}
	}
	// Kamal clones what it builds into TMPDIR.
	s.env = environ.List(s.env).With("TMPDIR", s.path("tmp"))
	return nil
}

func (s *session) path(elements ...string) string {
	return filepath.Join(append([]string{s.made.dir}, elements...)...)
}

// accounts are what the vault holds, and who may use the registry.
type accounts struct {
	vaults func(key string) []standin.VaultSpec

	registryUser, word string
}

// start starts the three parts.
func (s *session) start(ctx context.Context, c accounts) error {
	// When ctx ends Kamal still has to give its lock back: the parts end with
	// the session and not with ctx.
	ctx = context.WithoutCancel(ctx)
	public, err := s.makeKey()
	if err != nil {
		return err
	}
	if s.vault, err = standin.StartVault(ctx, standin.VaultOptions{Vaults: c.vaults(s.key), Latency: s.opts.Latency}); err != nil {
		return fmt.Errorf("starting the vault: %w", err)
	}
	s.host, err = standin.StartSSHHost(ctx, standin.SSHHostOptions{AuthorizedKey: public, User: hostUser, Dir: s.path("home"), Env: s.hostEnv()})
	if err != nil {
		return fmt.Errorf("starting the SSH host: %w", err)
	}
	s.registry, err = standin.StartRegistry(ctx, standin.RegistryOptions{User: c.registryUser, Password: c.word, Dir: s.path("blobs")})
	if err != nil {
		return fmt.Errorf("starting the registry: %w", err)
	}
	s.made.address = s.host.Address()
	s.tell.step("a vault, an SSH host and a registry are up on %s", loopback)
	return nil
}

// makeKey makes the SSH key of the rehearsal, as 1Password would have it in a
// field: OPENSSH PEM.
func (s *session) makeKey() (ssh.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making an SSH key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "kamal-op rehearsal")
	if err != nil {
		return nil, fmt.Errorf("making an SSH key: %w", err)
	}
	s.key = string(pem.EncodeToMemory(block))
	return ssh.NewPublicKey(public)
}

// hostEnv is what commands on the SSH host find in their environment: what a
// login shell has, and where the engine is. Nothing of the caller's that Kamal
// does not bring itself.
func (s *session) hostEnv() []string {
	env := []string{"LANG=C.UTF-8"}
	for _, name := range []string{"PATH", "DOCKER_HOST", "DOCKER_API_VERSION", "TMPDIR"} {
		if value := environ.List(s.env).Get(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// register says on the engine whose is what comes next.
func (s *session) register(ctx context.Context) error {
	s.registered = true // also where it fails half-way
	return s.engine.register(ctx, s.made)
}

// close ends the parts and removes all that the rehearsal made.
func (s *session) close(ctx context.Context) error {
	var left []error
	// First the SSH host, so that nothing is made any more while it is removed.
	if s.host != nil {
		left = append(left, s.host.Close())
	}
	if s.registry != nil {
		left = append(left, s.registry.Close())
	}
	if s.vault != nil {
		left = append(left, s.vault.Close())
	}
	if s.registered {
		left = append(left, s.engine.removeAll(ctx, s.made))
	}
	left = append(left, removeDir(s.made))
	err := errors.Join(left...)
	if err == nil {
		return nil
	}
	return &problem.Problem{
		Message: "not all that the rehearsal made could be removed",
		Details: strings.Split(err.Error(), "\n"),
		Hint:    "the next rehearsal tries again; by hand: docker ps -a, docker images and docker volume ls with --filter label=" + Label,
		Status:  problem.Partial,
		Cause:   err,
	}
}

// removeDir removes the private directory of a rehearsal, and nothing that does
// not have the name of one.
func removeDir(m artifacts) error {
	if m.id == "" || filepath.Base(m.dir) != dirPrefix+m.id || !filepath.IsAbs(m.dir) {
		return nil
	}
	return os.RemoveAll(m.dir)
}

// program is the path of a program: the one given, else the one in PATH of the
// rehearsal's environment.
func (s *session) program(given, name string) (string, error) {
	if given != "" {
		return given, nil
	}
	path, err := environ.List(s.env).LookPath(name, "/")
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return path, nil
}

// findKamal is where the project's Kamal may be, the best place first.
func (s *session) findKamal() ([]string, error) {
	if s.opts.Project == "" && s.opts.Kamal == "" { // the sample has none of its own
		path, err := s.program("", "kamal")
		return []string{path}, err
	}
	return kamal.Candidates(kamal.FindOptions{Dir: s.opts.Project, Explicit: s.opts.Kamal, Env: s.env})
}
