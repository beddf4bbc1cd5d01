package sshagent

import (
	"bytes"
	"fmt"
	"time"
)

// The answers that are always the same.
func failure() []byte       { return []byte{0, 0, 0, 1, msgFailure} }
func success() []byte       { return []byte{0, 0, 0, 1, msgSuccess} }
func extensionFail() []byte { return []byte{0, 0, 0, 1, msgExtensionFail} }

// answer is the frame that answers a request. Whatever is refused is answered
// with a failure on an open connection: clients take that for an answer, while
// Net::SSH crashes where the connection is closed.
func (c *conn) answer(request []byte) ([]byte, error) {
	kind, contents := request[0], request[1:]
	switch kind {
	case msgV1List:
		if len(c.path.sessions) == 0 {
			c.path.ruby = true
		}
		return []byte{0, 0, 0, 5, msgV1ListAnswer, 0, 0, 0, 0}, nil
	case msgList:
		return c.list(), nil
	case msgSign:
		return c.sign(contents)
	case msgExtension:
		return c.extension(contents), nil
	case msgAdd, msgAddLimited, msgV1Add, msgAddCard, msgAddCardLimited:
		clear(request) // a key, or a card's PIN, that was not meant for us
		return c.refuse(Event{Request: "add", Reason: ReasonUnsupported}), nil
	case msgRemove, msgRemoveAll, msgV1Remove, msgV1RemoveAll, msgRemoveCard:
		return c.refuse(Event{Request: "remove", Reason: ReasonUnsupported}), nil
	case msgLock, msgUnlock:
		clear(request) // a passphrase
		return c.refuse(Event{Request: "lock", Reason: ReasonUnsupported}), nil
	}
	return c.refuse(Event{Request: fmt.Sprintf("message %d", kind), Reason: ReasonUnsupported}), nil
}

func (c *conn) list() []byte {
	e := Event{Request: "list", Reason: c.bar()}
	if e.Reason == "" && c.path.forwarded() && !c.agent.policy.forwarding {
		e.Reason = ReasonForwarded
	}
	if e.Reason != "" {
		return c.refuse(e)
	}
	return c.agent.listed
}

// bar says why the process at the other end gets nothing, empty where it does.
func (c *conn) bar() string {
	if c.barred == "" && c.caller.Ended() {
		c.barred = ReasonGone
	}
	return c.barred
}

// extension takes OpenSSH's session binding. Any other extension is unknown,
// which is a failure and no refusal: clients ask to find out.
func (c *conn) extension(contents []byte) []byte {
	in := cursor(contents)
	name, ok := in.str()
	if !ok {
		return c.refuse(Event{Request: "extension", Reason: ReasonMalformed})
	}
	if string(name) != bindExtension {
		return failure()
	}
	if !c.path.bind(in) {
		c.refuse(Event{Request: "bind", Reason: ReasonBinding})
		return extensionFail()
	}
	return success()
}

// sign holds no lock while it signs.
func (c *conn) sign(contents []byte) ([]byte, error) {
	e := Event{Request: "sign"}
	in := cursor(contents)
	blob, ok1 := in.str()
	data, ok2 := in.str()
	flags, ok3 := in.u32()
	if !ok1 || !ok2 || !ok3 || len(in) != 0 {
		e.Reason = ReasonMalformed
		return c.refuse(e), nil
	}
	if e.Reason = c.bar(); e.Reason != "" {
		return c.refuse(e), nil
	}
	id := c.agent.identity(blob)
	if id == nil {
		e.Reason = ReasonUnknownKey
		return c.refuse(e), nil
	}
	e.Key = id.fingerprint
	algorithm := c.agent.policy.judge(&e, &c.path, id, data, flags)
	if e.Reason != "" {
		return c.refuse(e), nil
	}
	answer, err := id.sign(c.out[:0], data, algorithm)
	if err != nil {
		e.Reason = ReasonInternal
		return c.refuse(e), nil //nolint:nilerr // a refusal is an answer
	}
	c.out = answer
	e.Signed = true
	c.record(e)
	return answer, nil
}

// refuse records the refusal and is the answer to it.
func (c *conn) refuse(e Event) []byte {
	c.record(e)
	return failure()
}

func (c *conn) record(e Event) {
	e.Time = time.Now()
	if !e.Forwarded {
		e.Forwarded = c.path.forwarded()
	}
	if !c.known {
		c.known = true
		c.peer = c.caller.describe(c.agent.self)
	}
	e.Peer = c.peer
	c.agent.journal.add(e)
}

// identity is the one with this public key, nil where there is none.
func (a *Agent) identity(blob []byte) *identity {
	ids := a.identities.Load()
	if ids == nil {
		return nil
	}
	for _, id := range *ids {
		if bytes.Equal(id.blob, blob) {
			return id
		}
	}
	return nil
}
