// Command release builds what a release of kamal-op holds: for each platform a
// binary and an archive, for Linux packages, and the checksums of all.
//
//	go run ./build/release -nfpm PATH [-version 1.2.3] [-only linux_amd64] DIRECTORY
//	go run ./build/release -mark sha256:… DIRECTORY
//	go run ./build/release -licences FILE
//
// The second makes the tree that of the release in the directory, whose image has this
// digest; the third writes the terms of what is linked on Linux, for the image.
//
// The same commit gives the same bytes, wherever and whenever it is built, with the
// same Go: times are the commit's, and neither paths nor the state of a repository
// are in the binary. The directory is made anew.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const modulePath = "github.com/kamal-op/kamal-op"

// versionPattern is a version as semver.org has it, without a v and without build
// metadata, for which packages have no place.
var versionPattern = regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	nfpm := flags.String("nfpm", "", "the program that makes packages")
	version := flags.String("version", "", "the version, such as 1.2.3; without one it is a snapshot of the commit")
	only := flags.String("only", "", "the platform to build for, such as linux_amd64; without one it is all")
	digest := flags.String("mark", "", "the digest of the release's image, which is built already: action.yml and the launcher get it and the hashes")
	licences := flags.String("licences", "", "the file to write the terms of what is linked on Linux into, and nothing else")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *licences != "":
		text, err := thirdParty(platforms()[:2])
		if err != nil {
			return err
		}
		return os.WriteFile(*licences, text, 0o644) //nolint:gosec // everybody may read it
	case *digest != "" && flags.NArg() == 1:
		return mark(".", flags.Arg(0), *digest)
	}
	if flags.NArg() != 1 || *nfpm == "" {
		return errors.New("usage: release -nfpm PATH [-version 1.2.3] [-only linux_amd64] DIRECTORY")
	}
	wanted := slices.DeleteFunc(platforms(), func(p platform) bool { return *only != "" && p.String() != *only })
	if len(wanted) == 0 {
		return fmt.Errorf("there is no release for %q, only for %v", *only, platforms())
	}
	src, err := readSource()
	if err != nil {
		return err
	}
	r := release{source: src, dir: flags.Arg(0), nfpm: *nfpm, platforms: wanted}
	if r.version, err = src.versionOf(*version); err != nil {
		return err
	}
	if *version != "" {
		if err := checkGo(); err != nil {
			return err
		}
	}
	return r.build()
}

// imageGo is the Go that the image is built with.
var imageGo = regexp.MustCompile(`(?m)^ARG GO_IMAGE=golang:([\d.]+)-`)

// checkGo refuses another Go than the Dockerfile's: a release is built with one, and
// whoever builds it again needs the same.
func checkGo() error {
	dockerfile, err := os.ReadFile("Dockerfile")
	if err != nil {
		return err
	}
	m := imageGo.FindSubmatch(dockerfile)
	if m == nil {
		return errors.New("the Dockerfile does not say which Go a release is built with")
	}
	wanted := "go" + string(m[1])
	have, err := output("go", "env", "GOVERSION")
	if err != nil {
		return err
	}
	if have != wanted {
		return fmt.Errorf("a release is built with %s, as the Dockerfile says, and not with %s: set GOTOOLCHAIN=%s", wanted, have, wanted)
	}
	return nil
}

// A source is the commit that is built.
type source struct {
	commit   string
	time     time.Time
	modified bool // the tree has more than the commit
}

// readSource asks git. The commit that a release is tagged at differs by action.yml
// and the launcher's hashes alone from the one that it was built from, and gives the
// same: so the commit is the last one that changed anything else.
func readSource() (source, error) {
	line, err := output("git", "log", "-1", "--format=%H %cI", "--", ".", ":(exclude)action.yml", ":(exclude)native/release.json")
	if err != nil {
		return source{}, err
	}
	commit, date, _ := strings.Cut(line, " ")
	at, err := time.Parse(time.RFC3339, date)
	if err != nil {
		return source{}, fmt.Errorf("the time of the commit: %w", err)
	}
	status, err := output("git", "status", "--porcelain")
	if err != nil {
		return source{}, err
	}
	return source{commit: commit, time: at.UTC(), modified: status != ""}, nil
}

// versionOf gives the version that is asked for, or a name for a snapshot, which
// every kind of package sorts before all releases.
func (s source) versionOf(asked string) (string, error) {
	switch {
	case asked == "" && s.modified:
		return "0.0.0-snapshot." + s.commit[:12] + ".modified", nil
	case asked == "":
		return "0.0.0-snapshot." + s.commit[:12], nil
	case !versionPattern.MatchString(asked):
		return "", fmt.Errorf("%q is no version such as 1.2.3", asked)
	case s.modified:
		return "", errors.New("a release is built from a commit: `git status` names what is not in it")
	default:
		return asked, nil
	}
}

// output is what a command prints, without the last line break.
func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.Bytes())
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// A release is what is built, and where to.
type release struct {
	source
	version   string
	dir       string
	nfpm      string
	platforms []platform
}

// A platform is an operating system and a processor, in Go's words.
type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "_" + p.arch }

// platforms are all that a release is for. Windows is not: see main_windows.go.
func platforms() []platform {
	return []platform{{"linux", "amd64"}, {"linux", "arm64"}, {"darwin", "amd64"}, {"darwin", "arm64"}}
}

func (r release) build() error {
	if err := os.RemoveAll(r.dir); err != nil {
		return err
	}
	licences, err := thirdParty(platforms())
	if err != nil {
		return err
	}
	manuals, err := readManuals()
	if err != nil {
		return err
	}
	for _, p := range r.platforms {
		if err := r.buildFor(p, licences, manuals); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	if err := r.writeInstallers(); err != nil {
		return err
	}
	return writeChecksums(r.dir)
}

func (r release) buildFor(p platform, licences []byte, m manuals) error {
	// The unpacked archive stays: it is what packages are made of.
	tree := filepath.Join(r.dir, "tree", p.String())
	if err := os.MkdirAll(tree, 0o750); err != nil {
		return err
	}
	binary := filepath.Join(tree, "kamal-op")
	if err := r.compile(p, binary); err != nil {
		return err
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tree, name), text, 0o600); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(tree, licencesName), licences, 0o600); err != nil {
		return err
	}
	if err := m.write(tree); err != nil {
		return err
	}
	name := fmt.Sprintf("kamal-op_%s_%s", r.version, p)
	if err := writeArchive(filepath.Join(r.dir, name+".tar.gz"), name, tree, r.time); err != nil {
		return err
	}
	if err := r.writeBills(p, binary); err != nil {
		return err
	}
	if p.os != "linux" {
		return nil
	}
	return r.writePackages(p, tree)
}

// compile builds the binary. What the environment says of builds is not asked.
func (r release) compile(p platform, to string) error {
	const symbols = modulePath + "/internal/cli."
	linker := "-s -w -buildid= -X " + symbols + "release=" + r.version + " -X " + symbols + "commit=" + r.commit
	if r.modified {
		linker += " -X " + symbols + "modified=true"
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", linker, "-o", to, ".")
	cmd.Env = append(os.Environ(), "GOOS="+p.os, "GOARCH="+p.arch, "CGO_ENABLED=0",
		"GOFLAGS=", "GOEXPERIMENT=", "GOAMD64=v1", "GOARM64=v8.0", "GOWORK=off", "GOFIPS140=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w\n%s", err, out)
	}
	return nil
}
