// Package drift holds the places that a secret must be named in against each
// other: the vault, the fetch and the extract in .kamal/secrets, deploy.yml, and
// the workflow that declares secrets. Check tells where they differ; Add, Remove,
// Rename, Fix, Init and Migrate plan how the files are to change, and a Plan is
// written whole or not at all. Nothing of a project is executed for it: what
// cannot be known without running Ruby is reported as not known, never guessed.
//
// It may import kamal, onepassword and problem.
package drift
