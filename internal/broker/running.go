package broker

import "slices"

// A neededRequest is a program that a connection of Kamal's goes through: the ssh of a
// jump host, a proxy command.
type neededRequest struct {
	PID int `json:"pid"`
}

func (b *Broker) recordNeeded(n *neededRequest) any {
	b.mu.Lock()
	defer b.mu.Unlock()
	addPID(&b.needed, n.PID)
	return struct{}{}
}

func addPID(list *[]int, pid int) {
	if pid > 0 && !slices.Contains(*list, pid) {
		*list = append(*list, pid)
	}
}

// Running are the process ids of the run, as its processes have told them: the
// Kamals, nested ones of hooks too, and the programs that their connections go
// through. Some of them may have ended. In another pid namespace than ours they
// are no ids of this machine: whoever uses them takes only those that are in the
// child's own session.
func (b *Broker) Running() (kamals, needed []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.kamals), slices.Clone(b.needed)
}
