// Package doctor looks at all that a run needs, and deploys nothing: the credentials,
// the secrets, the SSH key, the hosts, the registry, Docker, Kamal, the workflow's
// token. It changes nothing anywhere and takes no lock.
//
// Each check looks at one thing, side by side with the others, for a bounded time.
// What it could not look at it says, with the reason: a finding is well only where it
// was seen. What is true of a part is asked of its own room: the secrets of check, the
// hosts of hosts, and what Kamal makes of the project of Kamal, which logs in to the
// registry as a deploy does.
package doctor
