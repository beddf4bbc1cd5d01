// Package watch looks at what runs, on a schedule: whether the servers still run what
// the vault and deploy.yml have, how long certificates hold, and which previews are left
// over. What it finds goes into one issue on GitHub, which it opens, edits and closes by
// itself.
//
// Its checks are the doctor's in form, so that both are told in one report.
//
// It imports ci, doctor, github, plan, problem and review.
package watch
