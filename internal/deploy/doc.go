// Package deploy is the run itself: from the token to Kamal's exit status. It
// reads from top to bottom as the run goes: everything is resolved and checked,
// everything is masked, the key goes into the agent, and only then does a child
// start; at its end nothing of the run is left.
package deploy
