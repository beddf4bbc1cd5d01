package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Actionlint has actionlint look at workflows: what it says of those that GitHub
// would not take is the error. root is the repository's root, below which make puts
// the tool. That it is not there is an error as well: a workflow that nothing looked
// at is not known to be right.
func Actionlint(root string, files ...string) error {
	if len(files) == 0 {
		return errors.New("actionlint: no workflow to look at")
	}
	tool, err := filepath.Abs(filepath.Join(root, ".cache", "tools", "actionlint"))
	if err != nil {
		return err
	}
	if _, err := os.Stat(tool); err != nil {
		if tool, err = exec.LookPath("actionlint"); err != nil {
			return errors.New("actionlint is not there: make .cache/tools/actionlint brings it")
		}
	}
	out, err := exec.Command(tool, append([]string{"-shellcheck=", "-pyflakes="}, files...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("actionlint: %w\n%s", err, out)
	}
	return nil
}
