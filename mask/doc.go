// Package mask keeps secret values out of output: a Masker knows the values, its
// Writers are streams that pass on what is written to them with every value
// replaced by ***.
//
// It imports the standard library only.
package mask
