package peer

import "testing"

func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		peer Peer
		any  bool
		want Verdict
	}{
		"ourselves":                         {peer: Peer{PID: 100, UID: 7}},
		"a grandchild":                      {peer: Peer{PID: 120, UID: 7}},
		"a sibling":                         {peer: Peer{PID: 60, UID: 7}, want: Stranger},
		"one in another pid namespace":      {peer: Peer{PID: 0, UID: 7}, want: Unseen},
		"one that is not in /proc":          {peer: Peer{PID: 999, UID: 7}, want: Stranger},
		"a child that has ended":            {peer: Peer{PID: 110, UID: 7, gone: true}, want: Ended},
		"a stranger that has ended":         {peer: Peer{PID: 60, UID: 7, gone: true}, want: Ended},
		"another user's child of ours":      {peer: Peer{PID: 110, UID: 8}, want: OtherUser},
		"root's child of ours":              {peer: Peer{PID: 110, UID: 0}, want: OtherUser},
		"the user is not known":             {peer: Peer{PID: 60, UID: -1}, want: Stranger},
		"any of this user":                  {peer: Peer{PID: 60, UID: 7}, any: true},
		"any, in a container, of root":      {peer: Peer{PID: 0, UID: 0}, any: true},
		"any, but another user's":           {peer: Peer{PID: 60, UID: 8}, any: true, want: OtherUser},
		"any, but it has ended":             {peer: Peer{PID: 60, UID: 7, gone: true}, any: true, want: Ended},
		"any, and the user is not known":    {peer: Peer{PID: 60, UID: -1}, any: true},
		"any, in a container, of this user": {peer: Peer{PID: 0, UID: 7}, any: true},
	} {
		t.Run(name, func(t *testing.T) {
			test.peer.handle = -1
			ancestor := 100
			if test.any {
				ancestor = 0
			}
			if got := test.peer.judge(7, ancestor, ours().look); got != test.want {
				t.Errorf("the verdict is %d, want %d", got, test.want)
			}
		})
	}
}
