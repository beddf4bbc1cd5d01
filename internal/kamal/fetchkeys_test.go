package kamal

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// askFetch has Kamal's own adapter fetch from items that op would give, and its own
// extract take names out of the result. Cases come in as JSON.
const askFetch = `
require "kamal"
require "kamal/cli"
require "json"
class Vault < Kamal::Secrets::Adapters::OnePassword
  def initialize(fields) = @fields = fields
  def check_dependencies! = nil
  def login(*) = nil
  def op_item_get(vault, item, fields: nil, **)
    found = (fields || @fields.map { |f| f["ask"] }).map { |ask| @fields.find { |f| f["ask"] == ask } }
    found = found.map { |f| { "reference" => "op://#{vault}/#{item}/#{f["path"]}", "value" => f["value"] } }
    JSON.generate(fields.nil? ? { "fields" => found } : found.one? ? found.first : found)
  end
end
answers = JSON.parse($stdin.read).map do |c|
  results = Vault.new(c["fields"]).fetch(c["names"], account: "a", from: c["from"])
  extracts = c["extracts"].to_h do |name|
    value = begin
      Kamal::Cli::Secrets.new([], { inline: true }).extract(name, JSON.generate(results))
    rescue RuntimeError
      nil
    end
    [ name, value ]
  end
  { keys: results.keys, extracts: extracts }
end
puts JSON.generate(answers)
`

type fetchCase struct {
	From     string       `json:"from"`
	Names    []string     `json:"names"`
	Fields   []fetchField `json:"fields"`
	Extracts []string     `json:"extracts"`
}

// A fetchField is a field as op finds it: asked for by label=ask, its reference
// ending in path.
type fetchField struct {
	Ask   string `json:"ask"`
	Path  string `json:"path"`
	Value string `json:"value"`
}

// What a fetch names its values, and what an extract takes, are what real Kamal
// does with random items.
func TestFetchKeys_AreKamals(t *testing.T) {
	if *realKamal == "" {
		t.Skip("runs with -kamal PATH, in the Kamal image")
	}
	random := rand.New(rand.NewPCG(7, 8))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	var cases []fetchCase
	for range 300 {
		c := fetchCase{From: pick("Shop/Web", "op://Shop/Web", "Shop/Web/db")}
		inSection := strings.HasSuffix(c.From, "/db")
		for range 1 + random.IntN(4) {
			label := pick("token", "password", "KEY", "a.b", "user name", "db")
			section := pick("", "", "db", "api")
			if inSection {
				section = "db"
			}
			f := fetchField{Ask: label, Path: label, Value: label + " of " + section}
			name := label
			if section != "" {
				f.Ask, f.Path = section+"."+label, section+"/"+label
				if !inSection {
					name = section + "/" + label
				}
			}
			if slices.ContainsFunc(c.Fields, func(other fetchField) bool { return other.Ask == f.Ask }) {
				continue
			}
			c.Names, c.Fields = append(c.Names, name), append(c.Fields, f)
		}
		for _, key := range []string{
			"token", "password", "KEY", "a.b", "b", "db", "api", "user name", "db/token", "api/db", "api/password", "Web", "Shop/Web",
			"Shop/Web/token", "Shop/Web/db/KEY", "op://Shop/Web/token", "eb/token", "/token", "nothing",
		} {
			if random.IntN(2) == 0 {
				c.Extracts = append(c.Extracts, key)
			}
		}
		cases = append(cases, c)
	}
	input, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ruby", "-W0", "-e", askFetch)
	cmd.Stdin = bytes.NewReader(input)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	var answers []struct {
		Keys     []string
		Extracts map[string]*string
	}
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	taken := 0
	for i, c := range cases {
		line := "S=$(kamal secrets fetch --adapter 1password --account a --from '" + c.From + "'"
		for _, name := range c.Names {
			line += " '" + name + "'"
		}
		fetch := ParseSecrets("s", line+")\n", nil).Definitions[0].Parts[0]
		for j, w := range fetch.Wanted {
			if !slices.ContainsFunc(w.Keys(), func(key string) bool { return slices.Contains(answers[i].Keys, key) }) {
				t.Errorf("%s: %s is fetched as one of %q, not as one of %q", line, c.Names[j], answers[i].Keys, w.Keys())
			}
		}
		for name, value := range answers[i].Extracts {
			here := slices.ContainsFunc(answers[i].Keys, func(key string) bool { return Extracts(key, name) })
			if here != (value != nil) {
				t.Errorf("%s, of %q: extracting %s is %v here", line, answers[i].Keys, name, here)
			}
			if here {
				taken++
			}
		}
	}
	t.Logf("%d fetches, %d extracts that take something", len(cases), taken)
}
