//go:build !amd64 || purego

package mask

func hasFast() bool { return false }

func (s *set) gapsFast([]byte, int, int) (last, whole int) { return -1, 0 }
