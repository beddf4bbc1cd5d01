package deploy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/hosts"
)

// TestTarget: hosts are logged in to the way that Net::SSH goes, whose first jump
// host is the last one before the target.
func TestTarget(t *testing.T) {
	for name, test := range map[string]struct {
		asked  broker.Host
		want   hosts.Target
		direct bool
	}{
		"plain":   {broker.Host{Host: "web", Port: 22, User: "root"}, hosts.Target{Host: "web", Port: 22, User: "root"}, true},
		"command": {broker.Host{Host: "web", Port: 22, User: "root", Command: true}, hosts.Target{Host: "web", Port: 22, User: "root"}, false},
		"jump": {
			broker.Host{Host: "web", Port: 22, User: "app", Jump: "root@bastion:2222"},
			hosts.Target{Host: "web", Port: 22, User: "app", Jump: &hosts.Target{Host: "bastion", Port: 2222, User: "root"}},
			true,
		},
		"jump whose user ssh decides": {
			broker.Host{Host: "web", Port: 22, User: "app", Jump: "bastion"},
			hosts.Target{Host: "web", Port: 22, User: "app", Jump: &hosts.Target{Host: "bastion"}},
			false,
		},
		"IPv6": {
			broker.Host{Host: "2001:db8::1", Port: 22, User: "app", Jump: "root@[2001:db8::2]:2222"},
			hosts.Target{Host: "2001:db8::1", Port: 22, User: "app", Jump: &hosts.Target{Host: "2001:db8::2", Port: 2222, User: "root"}},
			true,
		},
		"three": {
			broker.Host{Host: "web", Port: 22, User: "app", Jump: "a@last,b@first,c@middle"},
			hosts.Target{Host: "web", Port: 22, User: "app", Jump: &hosts.Target{
				Host: "last", User: "a", Jump: &hosts.Target{Host: "middle", User: "c", Jump: &hosts.Target{Host: "first", User: "b"}},
			}},
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, direct := target(test.asked)
			if d := cmp.Diff(test.want, got); d != "" || direct != test.direct {
				t.Errorf("direct %v\n%s", direct, d)
			}
		})
	}
}
