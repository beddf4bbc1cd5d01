// Package drift holds the places that a secret must be named in against each
// other: the vault, the fetch and the extract in .kamal/secrets, and deploy.yml.
// Nothing of a project is executed for it: what cannot be known without running
// Ruby is reported as not known, never guessed.
//
// It may import kamal, onepassword and problem.
package drift
