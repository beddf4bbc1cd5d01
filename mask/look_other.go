//go:build !amd64 || purego

package mask

// look is the first place from i up to last, in steps, at which text has a gram of
// this pass, or seems to; a place behind last if there is none.
// Nothing is asked for before.
func (p *pass) look(text []byte, i, last int, _ bool) int {
	return p.filter.look(&p.filter, text, i, last, p.step, p.multiplier)
}
