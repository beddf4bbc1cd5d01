package edit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os/exec"
	"testing"

	"github.com/kamal-op/kamal-op/internal/testkit/longrun"
)

var (
	// realKamal says that Ruby and Kamal's gem are there, in the Kamal image.
	realKamal = flag.String("kamal", "", "path of a real Kamal to test with")
	generated = flag.Int("generated", longrun.Times(30, 300), "how many projects to generate")
)

// A question asks Kamal what a project comes to.
type question struct {
	Dir         string            `json:"dir"`
	Config      string            `json:"config"`
	Destination string            `json:"destination"`
	Env         map[string]string `json:"env"`
	Fields      map[string]string `json:"fields"` // vault/item/field that is another's renamed
	Every       bool              `json:"every"`  // every name is asked for, those that are missing too
}

// An answer is what Kamal has: the secrets as `kamal secrets print` has them, and
// what each container, the build and the registry get.
type answer struct {
	Error      string                       `json:"error"`
	Secrets    map[string]string            `json:"secrets"`
	Containers map[string]map[string]string `json:"containers"`
	Used       map[string]*string           `json:"used"` // each secret that was asked for; nil where it is missing
}

// values asks real Kamal, all at once in one process of Ruby. 1Password alone is
// played: each field's value names the field.
const values = `
require "kamal"
require "json"
require "stringio"
module Vault
  def ` + "`" + `(command)
    words = (Shellwords.split(command) rescue [])
    return super unless words[0] == "op"
    Kernel.system("true") # what Kamal's adapter looks at
    value = ->(path) { "value of " + ($fields[path] || path) }
    case words[1]
    when "read" then value.(words.last.delete_prefix("op://")) + "\n"
    when "item"
      vault, item = words[words.index("--vault") + 1], words[3]
      labels = words[words.index("--fields") + 1].split(",").map { |f| f.delete_prefix("label=") }
      found = labels.map { |l| { reference: "op://#{vault}/#{item}/#{l}", value: value.("#{vault}/#{item}/#{l}") } }
      (found.one? ? found.first : found).to_json
    else ""
    end
  end
end
Object.prepend(Vault)
module Every
  def [](key)
    $used[key] = super
  rescue Kamal::ConfigurationError
    raise if !$every || !secrets.is_a?(Hash) || secrets.key?(key)
    $used[key] = nil
    ""
  end
end
Kamal::Secrets.prepend(Every)
original = ENV.to_h.slice("PATH", "HOME", "LANG")
STDIN.each_line do |line|
  q = JSON.parse(line)
  out = {}
  $stdout = StringIO.new
  begin
    Dir.chdir(q["dir"])
    $fields = q["fields"] || {}
    $every, $used = q["every"], {}
    ENV.replace(original.merge(q["env"] || {}))
    ENV["KAMAL_DESTINATION"] = q["destination"] unless q["destination"] == ""
    config = Kamal::Configuration.create_from(
      config_file: Pathname.new(File.expand_path(q["config"])), destination: q["destination"] == "" ? nil : q["destination"], version: "v1")
    out["secrets"] = config.secrets.to_h
    out["containers"] = config.roles.to_h { |r| ["role " + r.name, r.env(r.hosts.first).then { |e| e.clear.merge(e.secrets_io.string.lines(chomp: true).reject(&:empty?).to_h { |l| l.split("=", 2) }) }.transform_values(&:to_s)] }
    config.accessories.each { |a| out["containers"]["accessory " + a.name] = a.env.secrets_io.string.lines(chomp: true).reject(&:empty?).to_h { |l| l.split("=", 2) } }
    out["containers"]["build"] = config.builder.secrets.transform_values(&:to_s)
    out["containers"]["registry"] = { "password" => config.registry.password, "username" => config.registry.username }
  rescue Exception => e
    out["error"] = "#{e.class}: #{e.message}"
  end
  out["used"] = $used if $every
  $stdout = STDOUT
  puts JSON.generate(out)
  STDOUT.flush
end
`

// ask has Kamal answer all questions.
func ask(t *testing.T, questions []question) []answer {
	t.Helper()
	var in, stderr bytes.Buffer
	encoder := json.NewEncoder(&in)
	for _, q := range questions {
		if err := encoder.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("ruby", "-W0", "-e", values)
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var answers []answer
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions\n%s", len(answers), len(questions), stderr.Bytes())
	}
	return answers
}
