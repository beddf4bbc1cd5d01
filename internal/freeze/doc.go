// Package freeze keeps an app from being deployed, and lets it be deployed again: by
// Kamal's own deploy lock, taken on every host with a mark that says that it is a
// freeze. A deploy takes the lock on the first host that it is for, and so finds it
// wherever that is.
//
// Kamal takes the locks, through Ruby that is loaded into its own process, and all of
// them or none: what a freeze has taken before it fails is released like any lock of a
// run. Whether to, and what becomes of a freeze that is there already, is decided here.
package freeze
