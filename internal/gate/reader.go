package gate

// TellsRunner reports whether mask commands are to be printed on the stream. They are
// meant for a runner; where another program of the job, such as tee, reads it, they
// would go where that writes. reader is that program. In doubt they are printed.
func (s *Stream) TellsRunner() (reader string, tells bool) {
	switch s.kind {
	case aFile:
		return "a file", false
	case aPipe:
		if name := pipeReader(s.file(), s.gate.o.Env); name != "" {
			return name, false
		}
	}
	return "", true
}
