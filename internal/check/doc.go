// Package check compares the places in which a secret must be named: the vault,
// the fetch and the extract in .kamal/secrets, deploy.yml, and the workflow that
// declares secrets. It reports where they differ, as text, JSON or SARIF. Nothing
// of a project is run for it: what cannot be known without running Ruby is reported
// as not known, never guessed.
package check
