package cli

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/problem"
)

// pageOf is the page of a command, "" for those that deploy: theirs are many.
func pageOf(command string) problem.Help {
	name, _, _ := strings.Cut(command, " ")
	switch name {
	case "check":
		return problem.Checking
	case "add", "remove", "rename":
		return problem.Changing
	case "init", "migrate":
		return problem.Beginning
	case "verify":
		return problem.Verifying
	case "plan":
		return problem.Planning
	case "comment":
		return problem.ByComment
	case "rotate":
		return problem.Rotating
	case "doctor":
		return problem.Doctor
	case "watch":
		return problem.Watching
	case "promote":
		return problem.Promoting
	case "freeze", "thaw":
		return problem.Freezing
	case "history":
		return problem.History
	case "rehearse":
		return problem.Rehearsing
	case "review":
		return problem.ReviewApps
	case "host-keys":
		return problem.HostKeys
	case "cache":
		return problem.CoreCache
	case "run":
		return problem.Running
	}
	return ""
}
