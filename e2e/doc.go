// Package e2e holds the end-to-end tests: the built binary against real Kamal,
// real kamal-proxy, a real OpenSSH sshd, a real registry and real Docker
// engines.
//
// # What runs where
//
// A server is a container with Debian's sshd on port 22 and a Docker engine of
// its own, so that two servers are two machines: their containers, proxies,
// networks and locks cannot meet. A registry with a password runs beside them,
// published on loopback, where the builder's engine and (by way of a forwarder)
// each server reach it under one name. The vault runs in the test's process.
// The binary runs natively in a container of the image that Kamal is in, or as
// the image of the action with the arguments, environment and mounts that
// GitHub gives a docker action.
//
// # Running them
//
// They are started by `make test` or `make e2e`, which build what is needed and
// set KAMAL_OP_E2E; without it every test here is skipped.
package e2e
