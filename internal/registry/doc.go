// Package registry brings an image from one repository to another by its digest, in the
// same registry or in two, each with a login of its own.
//
// It is a room of its own since it is the only one that speaks to registries: all else
// of them is Docker's and Kamal's. Logins come in with the call, and are kept nowhere:
// docker's configuration and its credential stores are neither read nor written. What
// is copied are bytes, which nobody looks into: an index comes with the images of all
// its platforms, and has the same digest there.
package registry
