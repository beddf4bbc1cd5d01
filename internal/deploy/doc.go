// Package deploy is the run itself: from the token to Kamal's exit status. It
// reads from top to bottom as the run goes: everything is resolved and checked,
// everything is masked, the key goes into the agent, and only then does a child
// begin; at its end nothing of the run is left. Kamal may be started earlier, to
// load its commands meanwhile: an earlyKamal waits then.
package deploy
