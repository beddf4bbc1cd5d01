// Package history is what was deployed: a line of each deploy in Kamal's audit log on
// the hosts, read back and put together again. A host that was rebuilt has none, and one
// that was down when a deploy ended lacks that: what any host has counts. Of a deploy
// without kamal-op, or of one that was killed, there is what Kamal has written.
package history
