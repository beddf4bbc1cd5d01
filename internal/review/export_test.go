package review

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// CheckDockerHelp holds what is known of docker run's options against its help.
func CheckDockerHelp(help string) error {
	var errs []error
	all := regexp.MustCompile(`(?m)^ +(?:-([a-zA-Z]), )?--([a-z0-9-]+)( [a-z0-9-]+)?(?:  |$)`).FindAllStringSubmatch(help, -1)
	if len(all) < 80 {
		return fmt.Errorf("%d options are in docker's help", len(all))
	}
	for _, m := range all {
		letter, name, isSwitch := m[1], m[2], m[3] == ""
		if slices.Contains(dockerSwitches, name) != isSwitch {
			errs = append(errs, fmt.Errorf("--%s is a switch: %v", name, isSwitch))
		}
		if letter != "" && dockerName(letter) != name {
			errs = append(errs, fmt.Errorf("-%s is --%s", letter, name))
		}
	}
	for _, name := range harmless {
		if !slices.ContainsFunc(all, func(m []string) bool { return m[2] == name }) {
			errs = append(errs, fmt.Errorf("docker run has no --%s", name))
		}
	}
	return errors.Join(errs...)
}
