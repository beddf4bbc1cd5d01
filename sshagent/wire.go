package sshagent

import "encoding/binary"

// The numbers of the agent protocol (draft-ietf-sshm-ssh-agent, and OpenSSH's
// authfd.h for the first version of it).
const (
	msgV1List         = 1
	msgV1ListAnswer   = 2
	msgV1Add          = 7
	msgV1Remove       = 8
	msgV1RemoveAll    = 9
	msgFailure        = 5
	msgSuccess        = 6
	msgList           = 11
	msgListAnswer     = 12
	msgSign           = 13
	msgSignAnswer     = 14
	msgAdd            = 17
	msgRemove         = 18
	msgRemoveAll      = 19
	msgAddCard        = 20
	msgRemoveCard     = 21
	msgLock           = 22
	msgUnlock         = 23
	msgAddLimited     = 25
	msgAddCardLimited = 26
	msgExtension      = 27
	msgExtensionFail  = 28
)

// A cursor reads SSH's wire format. Each method says whether there was enough;
// after the first false the cursor is worthless.
type cursor []byte

func (c *cursor) u8() (byte, bool) {
	if len(*c) < 1 {
		return 0, false
	}
	b := (*c)[0]
	*c = (*c)[1:]
	return b, true
}

func (c *cursor) u32() (uint32, bool) {
	if len(*c) < 4 {
		return 0, false
	}
	n := binary.BigEndian.Uint32(*c)
	*c = (*c)[4:]
	return n, true
}

func (c *cursor) str() ([]byte, bool) {
	n, ok := c.u32()
	if !ok || uint64(n) > uint64(len(*c)) {
		return nil, false
	}
	s := (*c)[:n:n]
	*c = (*c)[n:]
	return s, true
}

func appendString[T []byte | string](b []byte, s T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// frame puts the length before a message that was built behind four free bytes.
func frame(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}
