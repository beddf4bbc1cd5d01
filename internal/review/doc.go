// Package review is review apps: a preview of every pull request, and none left
// over. An event becomes a Plan; a plan is carried out through a Runner, which
// runs Kamal, and told on GitHub.
//
// # What a preview is
//
// A service of its own, SERVICE-pr-N: never a destination of a shared service,
// since Kamal prunes images and containers by their service alone, so that a
// preview would take production's. Its destination is the same for all ("review"),
// its version is pr-N-SHA, its host comes from a template. The project's
// config/deploy.review.yml takes them from REVIEW_* in the environment.
//
// # What is not trusted
//
// Titles, branch names, labels and comments are text of anybody's. None of it
// reaches a shell, an argument of Kamal's, a name or a workflow command: what is
// used of a pull request is its number and its head commit, both checked. Forks
// are never deployed. Who may command by comment is asked of the API.
//
// It reads nothing from the environment.
package review
