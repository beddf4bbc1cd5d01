package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// image is where the image of a release is pulled from.
const image = "ghcr.io/kamal-op/kamal-op"

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// mark makes the tree at root that of a release: action.yml pulls the image of this
// digest in place of building it, and the launcher has the hashes of what dist holds.
// These two files are all that the tagged commit differs in from the one it was built
// from.
func mark(root, dist, digest string) error {
	if !digestPattern.MatchString(digest) {
		return fmt.Errorf("%q is no digest of an image", digest)
	}
	action := filepath.Join(root, "action.yml")
	text, err := os.ReadFile(action)
	if err != nil {
		return err
	}
	const builds = "\n  image: Dockerfile\n"
	if bytes.Count(text, []byte(builds)) != 1 {
		return errors.New("action.yml does not build its image: it is a release's already")
	}
	list, err := os.ReadFile(filepath.Join(dist, launcherName))
	if err != nil {
		return err
	}
	pulls := "\n  image: docker://" + image + "@" + digest + "\n"
	if err := os.WriteFile(action, bytes.Replace(text, []byte(builds), []byte(pulls), 1), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, "native", launcherName), list, 0o600)
}
