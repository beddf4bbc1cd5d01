package deploy

import (
	"slices"
	"testing"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/mask"
)

// Each option of a job reaches the broker: none does where it is not given.
func TestBrokerOptions_EachOptionReachesTheBroker(t *testing.T) {
	j := Job{
		AnyVault: true, FreshEnv: true, ExactValues: kamal.ExactValues{Names: []string{"X"}}, Choices: broker.Choices{AllowOutputCopies: true, RollbackOnFailure: true, ReuseImage: true}, Vault: Vault{Op: "/usr/bin/op"},
		Wanted: Wanted{
			AllowEmpty: []string{"E"}, References: []string{"R"}, Forward: true, AnyPeer: true, Public: map[string]bool{"P": true},
			Secrets: []onepassword.Declaration{{Name: "A", Ref: onepassword.Reference{Vault: "V", Item: "I"}}, {Environment: "env1"}},
		},
	}
	j.RegistryLogin = func(broker.RegistryLogin) {}
	hosts := &broker.Hosts{}
	s := &resources{dir: &runDir{path: "/run/x"}, secrets: []mask.Secret{mask.NewSecret("A", "a"), mask.NewSecret("P", "p")}, resolver: &onepassword.Resolver{}, buildKey: mask.NewSecret("", "k")}
	o := s.brokerOptions(j, nil, hosts)
	waiting := s.brokerListenOptions(j, "/run/x/bin")
	for name, held := range map[string]bool{
		"op-scope": o.AnyVault, "allow-output-copies": o.AllowOutputCopies, "rollback-on-failure": o.RollbackOnFailure, "fresh-env": o.FreshEnv, "exact-values": o.ExactValues.Of("X") && !o.ExactValues.Of("Y"), "reuse-image": o.ReuseImage, "the key of labels": o.BuildKey.Reveal() == "k", "forward-agent": o.ForwardAgent,
		"allow-any-peer": waiting.AnyPeer, "allow-empty": slices.Equal(o.AllowEmpty, []string{"E"}), "allow-reference": slices.Equal(o.AllowReferences, []string{"R"}),
		"the person's op": o.RealOp == "/usr/bin/op", "the vaults": slices.Equal(o.Vaults, []string{"V"}), "the Environments": slices.Equal(o.Environments, []string{"env1"}),
		"the hosts": o.Hosts == hosts, "the directory": waiting.Dir == "/run/x/bin", "the vault": o.Vault != nil, "the login": o.Login != nil, "the registry's login": o.RegistryLogin != nil,
		"the secrets": len(o.Declared) == 2 && !o.Declared[0].Public && o.Declared[1].Public,
	} {
		if !held {
			t.Errorf("%s does not reach the broker", name)
		}
	}
	s.resolver = nil
	o = s.brokerOptions(Job{}, nil, nil)
	if o.AnyVault || o.AllowOutputCopies || o.RollbackOnFailure || o.FreshEnv || !o.ExactValues.IsZero() || o.ReuseImage || o.ForwardAgent || s.brokerListenOptions(Job{}, "").AnyPeer || o.RealOp != "" || o.RegistryLogin != nil || o.Vault != nil || len(o.AllowEmpty)+len(o.AllowReferences)+len(o.Environments) > 0 {
		t.Errorf("what nobody asked for: %+v", o)
	}
}

// The key of images' labels is the same in every run with an SSH key, and another with
// another; of the SSH key it shows nothing.
func TestBuildKey_DependsOnTheKeyAlone(t *testing.T) {
	one, same, other := buildKey(mask.NewSecret("", "a key\n")), buildKey(mask.NewSecret("", "a key")), buildKey(mask.NewSecret("", "b key"))
	if one.Reveal() != same.Reveal() || one.Reveal() == other.Reveal() || len(one.Reveal()) != 64 {
		t.Errorf("%q, %q, %q", one.Reveal(), same.Reveal(), other.Reveal())
	}
}
