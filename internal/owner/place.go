package owner

import (
	"errors"
	"path/filepath"
)

// Place is the first of some directories in which no other user can put something of
// theirs in the place of what this user makes; what is "" is left out. The path is
// absolute and has no link in it.
func Place(places ...string) (string, error) {
	var errs []error
	for _, place := range places {
		if place == "" {
			continue
		}
		path, err := filepath.Abs(place)
		if err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		if err == nil {
			err = Replaceable(path)
		}
		if err == nil {
			return path, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}
