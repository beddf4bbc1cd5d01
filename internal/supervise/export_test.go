package supervise

import "time"

// SetLeftoverGrace gives what outlives the child another time than users' have.
func (c *Command) SetLeftoverGrace(d time.Duration) { c.leftoverGrace = d }
