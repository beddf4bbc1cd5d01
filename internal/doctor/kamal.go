package doctor

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
)

//go:embed doctor.rb
var preload string

// Command is the command that Preload adds to Kamal.
const Command = "kamal_op_doctor"

// Preload is Ruby to be required before Kamal: Command, with it, writes what Parse reads.
func Preload() string { return preload }

// Observed is what Kamal says of itself and of the project.
type Observed struct {
	Kamal  string `json:"kamal"`
	Ruby   string `json:"ruby"`
	Dotenv string `json:"dotenv"`
	NetSSH string `json:"net_ssh"`
	SSHKit string `json:"sshkit"`
	Aside  []struct {
		Part string `json:"part"`
		Why  string `json:"why"`
	} `json:"aside"`
	Architectures []string `json:"architectures"`
	Registries    []struct {
		Server string `json:"server"` // "" is Docker Hub
		State  string `json:"state"`  // "accepted", "refused", "local" or "unknown"
		Why    string `json:"why"`
	} `json:"registries"`
}

// Parse reads what Command has written to standard output, among Kamal's own lines.
func Parse(out []byte) (o Observed, err error) {
	err = kamal.ReadReport(out, "doctor", "what a run depends on", &o)
	return o, err
}

// CheckBinary looks whether there is a Kamal, and whether it is the tested one.
func CheckBinary(find func(ctx context.Context) (kamal.Binary, error)) Check {
	c := Check{Area: areaKamal, Name: "Kamal"}
	c.Look = func(ctx context.Context) []Finding {
		binary, err := find(ctx)
		if err != nil {
			return problems(Finding{Area: areaKamal, Check: "version", State: Wrong}, err)
		}
		f := Finding{Area: areaKamal, Check: "version", State: Well, Text: binary.String()}
		if binary.Version != kamal.TestedVersion {
			f.State, f.Text = Notice, f.Text+": all tests run "+kamal.TestedVersion
			f.Hint = "take " + kamal.TestedVersion + ", or try a deploy of this one beside it"
		}
		found := []Finding{f}
		for _, text := range binary.Notices {
			found = append(found, Finding{Area: areaKamal, Check: "version", State: Notice, Text: text})
		}
		return found
	}
	return c
}

// fidelityPart is the part of our Ruby without which dotenv changes values.
const fidelityPart = "the fidelity of values"

// CheckPreload looks whether Kamal takes the project's secrets and configuration, and
// whether each part of kamal-op's Ruby is in its place there.
func CheckPreload(observe func(ctx context.Context) (Observed, error)) Check {
	c := Check{Area: areaKamal, Name: "configuration"}
	c.Look = func(ctx context.Context) []Finding {
		o, err := observe(ctx)
		if err != nil {
			found := problems(Finding{Area: areaKamal, Check: "configuration", State: Wrong}, err)
			return append(found, unseen(areaKamal, "preload", "whether every part of kamal-op is in its place in it", "Kamal could not be asked"))
		}
		libraries := fmt.Sprintf("ruby %s, dotenv %s, net-ssh %s, sshkit %s", o.Ruby, o.Dotenv, o.NetSSH, o.SSHKit)
		found := []Finding{{Area: areaKamal, Check: "configuration", State: Well, Text: "Kamal takes the project's configuration and all of its secrets"}}
		if len(o.Aside) == 0 {
			return append(found, Finding{Area: areaKamal, Check: "preload", State: Well, Text: "every part of kamal-op is in its place in it (" + libraries + ")"})
		}
		for _, aside := range o.Aside {
			f := Finding{
				Area: areaKamal, Check: "preload", State: Notice, Text: aside.Part + " is left to Kamal: " + aside.Why,
				Details: []string{libraries}, Hint: "a newer kamal-op may know these versions",
			}
			if aside.Part == fidelityPart {
				f.State = Wrong
				f.Details = append(f.Details, dotenvTrap(o.Dotenv))
			}
			found = append(found, f)
		}
		return found
	}
	return c
}

// dotenvTrap is what dotenv does to values by itself.
func dotenvTrap(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	if major == "3" && (minor == "0" || minor == "1") {
		return "this dotenv runs $(…) in a value that is passed on as $NAME"
	}
	return "this dotenv replaces $… in a value that a command gives"
}

// CheckRegistries looks whether the registries take the credentials that Kamal has for
// them, by Kamal's own `docker login`, which leaves no login behind.
func CheckRegistries(observe func(ctx context.Context) (Observed, error)) Check {
	c := Check{Area: areaRegistry, Name: "registry"}
	c.Look = func(ctx context.Context) []Finding {
		o, err := observe(ctx)
		if err != nil {
			return []Finding{unseen(areaRegistry, "login", "whether the registry takes the credentials", "Kamal could not be asked")}
		}
		var found []Finding
		for _, r := range o.Registries {
			f := Finding{Area: areaRegistry, Check: "login", About: r.Server, State: Well}
			if r.Server == "" {
				f.About = "Docker Hub"
			}
			switch r.State {
			case "accepted":
				f.Text = "it takes the credentials"
			case "local":
				f.Text = "a registry on this machine, which Kamal starts"
			case "refused":
				f.State, f.Text, f.Details = Wrong, "docker could not log in", []string{r.Why}
				f.Hint = "check registry.username and registry.password in deploy.yml, and that the token has not expired"
			default:
				f.State, f.Text, f.Hint = Unseen, "whether it takes the credentials", r.Why
			}
			found = append(found, f)
		}
		return found
	}
	return c
}

// builtFor tells whether images are built for an architecture, as uname has it.
func (o Observed) builtFor(machine string) (name string, ok bool) {
	name = machine
	switch machine {
	case "x86_64":
		name = "amd64"
	case "aarch64":
		name = "arm64"
	}
	return name, slices.Contains(o.Architectures, name)
}
