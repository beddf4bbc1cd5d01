package e2e

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// envRecording has this program record addresses, in a container that has the network of
// another one.
const envRecording = "KAMAL_OP_E2E_RECORDING"

func init() {
	if os.Getenv(envRecording) != "" {
		fmt.Fprintln(os.Stderr, record())
		os.Exit(1)
	}
}

// record writes a line for each connection that begins in this network, and for each name
// that is asked for: "tcp ADDRESS", "udp ADDRESS" and "dns NAME". It ends with its container.
func record() error {
	const all = 0x0300 // ETH_P_ALL, in the network's order
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM, all)
	if err != nil {
		return fmt.Errorf("listening to the network: %w", err)
	}
	fmt.Println("listening")
	packet := make([]byte, 64<<10)
	for {
		n, _, err := syscall.Recvfrom(fd, packet, 0)
		if err != nil {
			return fmt.Errorf("reading a packet: %w", err)
		}
		if line := begins(packet[:n]); line != "" {
			fmt.Println(line)
		}
	}
}

// begins is what a packet begins: a connection, or the question for a name; else "".
func begins(packet []byte) string {
	var to netip.Addr
	var protocol byte
	switch {
	case len(packet) >= 20 && packet[0]>>4 == 4:
		head := int(packet[0]&15) * 4
		to, protocol = netip.AddrFrom4([4]byte(packet[16:20])), packet[9]
		packet = packet[min(head, len(packet)):]
	case len(packet) >= 40 && packet[0]>>4 == 6:
		to, protocol = netip.AddrFrom16([16]byte(packet[24:40])), packet[6]
		packet = packet[40:]
	default:
		return ""
	}
	if len(packet) < 8 {
		return ""
	}
	address := netip.AddrPortFrom(to, binary.BigEndian.Uint16(packet[2:4]))
	switch {
	case protocol == syscall.IPPROTO_TCP && len(packet) > 13 && packet[13]&0x12 == 0x02: // SYN, and no answer to one
		return "tcp " + address.String()
	case protocol == syscall.IPPROTO_UDP && address.Port() == 53:
		return "dns " + question(packet[8:])
	case protocol == syscall.IPPROTO_UDP && binary.BigEndian.Uint16(packet[0:2]) != 53:
		return "udp " + address.String()
	}
	return ""
}

// question is the name that a message to a name server asks for.
func question(message []byte) string {
	var labels []string
	for at := 12; at < len(message) && message[at] > 0; {
		end := at + 1 + int(message[at])
		if end > len(message) {
			break
		}
		labels = append(labels, string(message[at+1:end]))
		at = end
	}
	return strings.Join(labels, ".")
}

// A firewall lets through what docs/install.md lists. All that a deploy connects to, as the
// machine's own network shows it, is one of: Connect, the servers, the registry, the
// machine itself. No name is asked for that the project does not name.
func TestDeploy_ConnectsToWhatIsListed(t *testing.T) {
	t.Parallel()
	c := newScene(t, 1)
	c.project.commit()
	m := c.rig.machineOn(t, c.project, os.Getenv(envKamal), "bridge")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	recorder := mustDocker(t, "run", "--detach", "--label", label(), "--network", "container:"+m.id, "--cap-add", "NET_RAW",
		"--volume", program+":/recorder:ro", "--env", envRecording+"=1", "--entrypoint", "/recorder", os.Getenv(envKamal))
	t.Cleanup(func() { mustDocker(t, "rm", "-f", recorder) })
	if err := eventually(2*time.Minute, func() error {
		if log := mustDocker(t, "logs", recorder); !strings.Contains(log, "listening") {
			return fmt.Errorf("the recorder says %q", log)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	remote := c.remote()
	c.succeeded(m.run(remote, c.command("deploy")...))
	c.deployed()
	c.unlocked()

	connect := strings.TrimPrefix(remote["OP_CONNECT_HOST"], "http://")
	listed := map[string]string{connect: "the Connect server", c.rig.registry.Address: "the registry", c.rig.registry.inner: "the registry"}
	for _, s := range c.servers {
		listed[s.Address+":22"] = "the servers of `deploy.yml`"
	}
	table, err := os.ReadFile(filepath.Join("..", "docs", "install.md"))
	if err != nil {
		t.Fatal(err)
	}
	met, told := map[string]bool{}, map[string]bool{}
	lines := bufio.NewScanner(strings.NewReader(mustDocker(t, "logs", recorder)))
	for lines.Scan() {
		kind, what, _ := strings.Cut(lines.Text(), " ")
		switch {
		case kind == "listening":
		case listed[what] != "":
			met[listed[what]] = true
		case !told[lines.Text()]:
			told[lines.Text()] = true
			t.Errorf("the run has dialled what nothing lists: %s %s", kind, what)
		}
	}
	for _, word := range listed {
		if !strings.Contains(string(table), word) {
			t.Errorf("docs/install.md does not list %s", word)
		}
	}
	if !met["the Connect server"] || !met["the servers of `deploy.yml`"] {
		t.Errorf("the recorder has seen %v alone", met)
	}
}
