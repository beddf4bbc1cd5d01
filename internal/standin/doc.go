// Package standin has embedded stand-ins for the parts of a deploy that a machine
// may lack: a vault that speaks the API of 1Password Connect, 1Password's own
// cloud as a service account signs in to it, an SSH host, a container registry. Each listens on loopback, says where it is, and is gone when
// it is closed. Rehearsals and tests stand on them.
package standin
