// Package kamal is everything kamal-op knows about Kamal: which Kamal a project
// runs, the argument lists of its commands, the project's files with positions,
// and the Ruby file that is loaded into it.
//
// # Project files
//
// config/deploy.yml and .kamal/secrets* are parsed, never executed: no ERB, no
// command substitution and no Ruby of the project is run to read them. What
// cannot be known that way is reported as not known, never guessed.
//
// # The preload
//
// WritePreload puts one Ruby file into the private directory of a run. Loaded
// through RUBYOPT it makes Kamal's output live and its secrets arrive as they are
// in the vault; it speaks with package broker over the run's private socket.
package kamal
