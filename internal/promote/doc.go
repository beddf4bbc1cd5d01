// Package promote says whether what one destination runs may be deployed to another:
// which version that is, by which digest, and whether the other destination would have
// built it of the same.
//
// Kamal is asked for both destinations, through Ruby that is loaded into its own
// process. What the build takes in is compared by digests with a key of the run's own:
// no value of a build argument or a secret comes here. Ruby that is loaded into the
// deploy holds each host to the digest: after the image is pulled, and once more under
// the deploy lock, before anything is booted.
package promote
