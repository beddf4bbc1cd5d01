// Package sshname is the `ssh` that stands first on the PATH of a run's children,
// and the other names beside it: scp, sftp, rsync and git, which start an ssh of
// their own. Each executes the real program. With host keys given, every
// connection takes them and no others, whatever the user's ssh_config says; the
// hosts of the run are logged in to with the run's agent.
//
// It is what runs when kamal-op is called under one of these names. It imports
// environ, a shell's parser and nothing slow.
package sshname
