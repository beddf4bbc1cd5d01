// Package edit changes a project's files and keeps every other byte: Add, Remove,
// Rename, Fix, Init and Migrate each make a Plan, and a Plan is written whole or
// not at all. Nothing of a project is run for it.
package edit
