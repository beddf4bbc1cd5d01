// Package rehearsal runs the main job on this machine, with real Kamal and without
// an account or a server: the sample project, or a project's own deploy moved onto
// the stand-ins.
package rehearsal
