package mask

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func toBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// wrap is text broken into lines.
func wrap(text string, width int) string {
	var lines []string
	for ; len(text) > width; text = text[width:] {
		lines = append(lines, text[:width])
	}
	return strings.Join(append(lines, text), "\n")
}

// TestInner_IsMasked has values and what programs make of them. A value within is
// masked as well as the value is: alone, in base64, in quotes, cut into short Writes.
func TestInner_IsMasked(t *testing.T) {
	body := toBase64(strings.Repeat("no key at all, but as long as a real one is ", 5))
	key := "-----BEGIN TEST KEY-----\n" + wrap(body, 64) + "\n-----END TEST KEY-----\n"
	oneLine := strings.ReplaceAll(key, "\n", `\n`)
	account, err := json.Marshal(map[string]any{"private_key": key, "other": []any{map[string]any{"token": "token-of-nothing"}, 7, true, nil}})
	if err != nil {
		t.Fatal(err)
	}
	binary := "\x00\x01\x02\xff\xfe secret bytes \x80\x81"
	for _, tt := range []struct{ name, value, printed, want string }{
		{"escaped line ends", oneLine, key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"escaped CR LF", strings.ReplaceAll(key, "\n", `\r\n`), key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"escaped twice", strings.ReplaceAll(oneLine, `\`, `\\`), key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"key in base64", toBase64(key), key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"key in base64 on lines", wrap(toBase64(key), 76), key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"key in base64, not padded", strings.TrimRight(toBase64(key+" "), "="), key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"key in base64 for URLs", base64.URLEncoding.EncodeToString([]byte("?>?>?>?>secret")), "?>?>?>?>secret", stars},
		{"key in JSON", string(account), key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"key in JSON in base64", toBase64(string(account)), key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"key in base64 in JSON", `{"key":"` + toBase64(key) + `"}`, key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"key on one line", strings.ReplaceAll(key, "\n", " "), key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"key without any line end", strings.ReplaceAll(key, "\n", ""), key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"key of other lines", "-----BEGIN TEST KEY-----\n" + wrap(body, 48) + "\n-----END TEST KEY-----\n", wrap(body, 70), "***\n***\n***\n***\n***"},
		{"body of a key", oneLine, body, stars},
		{"key in quotes", `"` + oneLine + `"`, key, "***\n***\n***\n***\n***\n***\n***\n"},
		{"bytes in base64", toBase64(binary), binary, stars},
		{"bytes in base64, as hexadecimal", toBase64(binary), fmt.Sprintf("%x", binary), stars},
		{"bytes in base64 with a line end", toBase64("0123456789a\x80\n9abcdef\x80xxxxxxx"), "0123456789a\x80\n9abcdef\x80xxxxxxx", "***\n***"},
		{"string of JSON", string(account), "<token-of-nothing>", "<***>"},
		{"string of JSON in JSON", `{"config":` + toJSONString(string(account)) + `}`, "<token-of-nothing>", "<***>"},
		{"a string that is JSON", `"token-of-nothing"`, "<token-of-nothing>", "<***>"},
		{"a list", `["token-of-nothing"]`, "<token-of-nothing>", "<***>"},
		{"a string in base64", string(account), toBase64("user:token-of-nothing") + ".", "dXNlcjp***."},
		{"a string with letters and digits", `{"pin":"a1b2c3"}`, "a1b2c3", stars},
		{"a string that begins with a digit", `{"pin":"1abcde"}`, "1abcde", stars},
		{"six bytes in base64", toBase64("a1b2c3"), "a1b2c3", stars},
		{"in quotes", `'quoted-value'`, "quoted-value", stars},
		{"password of a URL", "postgres://app:s3cr3tpass@db/x", "s3cr3tpass", stars},
		{"password of a URL, decoded", "postgres://app:p%40ss%2Fword@db/x", "p@ss/word", stars},
		{"password of a URL, in base64", "postgres://app:p%40ss%2Fword@db/x", toBase64("p@ss/word"), stars},
		{"user and password of a URL", "https://app:pw@registry/x", toBase64("app:pw"), stars},
		{"user and password, decoded", "https://a%40b:pw@registry/x", toBase64("a@b:pw"), stars},
		{"token as the user of a URL", "https://t0ken-of-nothing-17@git.example.com/x", "t0ken-of-nothing-17", stars},
		{"password behind a user", "deployer:pa55word-x", "pa55word-x", stars},
		{"docker's configuration", `{"auths":{"registry.example.com":{"auth":"` + toBase64("me:pa55word-x") + `"}}}`, "pa55word-x", stars},
		{"password in a query", "jdbc:postgresql://db/x?user=me&password=pa55word%21x&ssl=true", "pa55word!x", stars},
		{"password in a connection string", "Server=db;User Id=me;Password=pa55word-x;", "pa55word-x", stars},
		{"a file for the environment", "A=1\nAPI_TOKEN=\"t0ken-of-nothing\"\n", "t0ken-of-nothing", stars},
	} {
		m := New()
		m.Add(tt.value)
		for _, size := range []int{0, 1, 7} {
			if got := cut(t, m, []byte(tt.printed), size); got != tt.want {
				t.Errorf("%s, cut at %d: %q of %q gives %q, want %q", tt.name, size, tt.printed, tt.value, got, tt.want)
			}
		}
	}
}

func toJSONString(text string) string { return `"` + toJSON(text, false) + `"` }

// TestInner_LeavesTheLogReadable has what stands within values and in every log.
func TestInner_LeavesTheLogReadable(t *testing.T) {
	for _, tt := range []struct {
		name, value, log string
		told             string
	}{
		{"words of JSON", `{"adapter":"postgresql","password":"postgres","pool":"5"}`, "postgresql postgres 5", "S: 3 values within it are too short, too common or too many to be masked by themselves"},
		{"names in JSON", `{"a_long_name_of_it":"secret-of-nothing"}`, "a_long_name_of_it", ""},
		{"public parts of JSON", `{"type":"service_account","project_id":"a-project-of-mine-1","auth_uri":"https://accounts.example.com/auth"}`, "service_account a-project-of-mine-1 https://accounts.example.com/auth", ""},
		{"numbers of JSON", `{"port":12345678,"deep":{"n":[1234567890]}}`, "12345678 1234567890", ""},
		{"short password of a URL", "postgres://app:postgres@db/x", "postgres", "S: a value within it is too short, too common or too many to be masked by themselves"},
		{"a user without a password", "ssh://deployer@host.example.com", "deployer", ""},
		{"7 letters", `{"a":"letters","b":"1234567"}`, "letters 1234567", "S: 2 values within it are too short, too common or too many to be masked by themselves"},
		{"5 letters and digits", `{"a":"a1b2c"}`, "a1b2c", "S: a value within it is too short, too common or too many to be masked by themselves"},
		{"a word in base64", toBase64("production"), "production", ""},
		{"lines behind escapes", `first-of-lines\ndone\n{\nproduction\nok`, "ok\n{\nproduction", ""},
		{"nearly base64", toBase64("some-words-of-a-log") + "!", "some-words-of-a-log", ""},
		{"nearly JSON", `{"a":"some-words-of-a-log"`, "some-words-of-a-log", ""},
		{"one quote and another", `'some-words-of-a-log"`, "some-words-of-a-log", ""},
		{"a user of 15 bytes", "https://fifteen-bytes-1@example.com/x", "fifteen-bytes-1", ""},
		{"base64 by chance", "deployment", "deploy", ""},
		{"a host and a port", "redis.example.com:6379", "6379", ""},
	} {
		m := New()
		m.AddSecret(NewSecret("S", tt.value))
		if got := m.String(tt.log); got != tt.log {
			t.Errorf("%s: %q of %q becomes %q", tt.name, tt.log, tt.value, got)
		}
		told := ""
		for _, s := range m.Skipped() {
			told = s.String()
		}
		if told != tt.told {
			t.Errorf("%s: %q is told, want %q", tt.name, told, tt.told)
		}
	}
}

// TestInner_IsBounded has a value with more in it than is taken, and some that are
// encoded as often as is undone, and once more.
func TestInner_IsBounded(t *testing.T) {
	var strs []string
	for i := range innerCount + 50 {
		strs = append(strs, fmt.Sprintf("string-number-%d-of-many", i))
	}
	b, err := json.Marshal(strs)
	if err != nil {
		t.Fatal(err)
	}
	m := New()
	m.AddSecret(NewSecret("MANY", string(b)))
	if got := m.String(strs[0] + "|" + strs[innerCount-1] + "|" + strs[innerCount]); got != "***|***|"+strs[innerCount] {
		t.Errorf("of many strings: %q", got)
	}
	if want := "MANY: 50 values within it are too short, too common or too many to be masked by themselves"; !slices.ContainsFunc(m.Skipped(), func(s Skipped) bool { return s.String() == want }) {
		t.Errorf("%q is told, want %q", m.Skipped(), want)
	}
	large := strings.Repeat("large string in JSON ", innerEncoded/21)
	m = New()
	m.Add(`["small-one-before","` + large + `b","small-one-behind"]`)
	printed := "small-one-before small-one-behind " + toBase64("small-one-before") + " " + toBase64("small-one-behind")
	if got, want := m.String(printed), "*** *** *** "+toBase64("small-one-behind"); got != want {
		t.Errorf("around a large string: %q, want %q", got, want)
	}
	for _, last := range []string{"ends-at-the-limit", "one-byte-too-much!"} {
		f := forms{min: MinLength}
		f.addInner(`["` + strings.Repeat("xy", innerBytes)[:innerBytes-17] + `","` + last + `"]`)
		if taken := slices.Contains(f.list, last); taken != (len(last) == 17) || taken != (f.within == 0) {
			t.Errorf("%s is taken: %v, and %d are told", last, taken, f.within)
		}
	}

	text := "hidden-in-base64-or-JSON"
	for depth := range innerDepth + 2 {
		m := New()
		m.Add(text)
		got := m.String("(hidden-in-base64-or-JSON)")
		if masked := got == "(***)"; masked != (depth <= innerDepth) {
			t.Errorf("%d encodings deep: %q", depth, got)
		}
		if depth%2 == 0 {
			text = toBase64(text)
		} else {
			text = `{"x":"` + text + `"}`
		}
	}
}

// TestFolded_AnyWidth breaks values at spaces as what folds lines does, at every
// width. Of a line nothing stays but what is too short to be told from chance.
func TestFolded_AnyWidth(t *testing.T) {
	for _, value := range []string{
		"correct horse battery staple and a long tail of further words that go over the eightieth column of it, at last",
		"a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9 and so on for a while",
		"short " + strings.Repeat("x", 60) + " between " + strings.Repeat("y", 30) + " two long ones  and  double  spaces",
	} {
		m := New()
		m.Add(value)
		for width := foldPiece + 10; width < 120; width++ {
			var lines []string
			rest := value
			for len(rest) > width {
				at := strings.IndexByte(rest[width-10:], ' ')
				if at < 0 {
					break
				}
				at += width - 10
				lines = append(lines, rest[:at])
				rest = rest[at+1:]
			}
			lines = append(lines, rest)
			got := strings.Split(m.String("  "+strings.Join(lines, "\n  ")), "\n")
			for i, line := range lines {
				if len(strings.TrimSpace(line)) >= foldPiece && strings.Trim(got[i], "* ") != "" {
					t.Errorf("%q at %d: %q leaves %q", value, width, line, got[i])
				}
			}
		}
	}
}

// TestEscapes holds what is undone against what bash says of each escape; see
// testdata/printed.json for whole texts.
func TestEscapes(t *testing.T) {
	all := escapes{zeroOctal: true, octal: true, hex: true, quotes: `'"?`, stop: true}
	for in, want := range map[string]string{
		`a\\b`: `a\b`, `\a\b\e\E\f\n\r\t\v`: "\a\b\x1b\x1b\f\n\r\t\v", `\0101\01019`: "AA9", `\101\1019`: "AA9", `\18`: "\x018", `\0`: "\x00",
		`\x41\x4g\xg\x`: "A\x04g" + `\xg\x`, `\u0041\u41\u00e9`: "AAé", `\U0001f600`: "😀", `\u`: `\u`, `\"\'\?`: `"'?`,
		`ab\cde`: "ab", `a\qb`: `a\qb`, `end\`: `end\`, `\x414`: "A4", `\u00411`: "A1", `\400`: "\x00",
	} {
		if got := all.undo(in); got != want {
			t.Errorf("%s becomes %q, want %q", in, got, want)
		}
	}
	none := escapes{}
	for _, in := range []string{`\0101`, `\101`, `\x41`, `\u0041`, `\"`, `\c`} {
		if got := none.undo(in); got != in {
			t.Errorf("%s becomes %q, though it is left alone", in, got)
		}
	}
}

// FuzzInner hides a text in encodings, one in the other, and wants it masked.
func FuzzInner(f *testing.F) {
	f.Add("secret of nothing", []byte{0, 1, 2})
	f.Add("it's \"a\" \\ value-é", []byte{3, 4})
	f.Add("two lines\nof this here", []byte{1, 0, 5})
	f.Fuzz(func(t *testing.T, text string, how []byte) {
		text = strings.TrimSpace(text)
		if len(text) < innerMin || len(text) > 200 || len(how) > innerDepth || !isText(text) || tooPlain(text) || strings.ContainsAny(text, "\r\x1b\ufffd") {
			t.Skip("it is not masked, or not in all encodings")
		}
		lines := strings.Split(text, "\n")
		for i := range lines {
			lines[i] = strings.TrimSpace(lines[i])
			if len(lines[i]) < MinLength || noise(lines[i]) != "" {
				t.Skip("some line is not masked")
			}
		}
		value := text
		for _, h := range how {
			switch h % 6 {
			case 0:
				value = toBase64(value)
			case 1:
				value = base64.RawURLEncoding.EncodeToString([]byte(value))
			case 2:
				value = `{"some":["` + toJSON(value, h > 100) + `"]}`
			case 3:
				value = strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(value)
			case 4:
				value = `"` + value + `"`
			case 5:
				value = "https://user:" + url.PathEscape(value) + "@example.com/"
			}
		}
		if len(value) > 4000 {
			t.Skip("slow")
		}
		m := New(withToken(""))
		m.Add(value)
		if got := m.String(text); strings.Trim(got, " \t\n") != "" {
			t.Errorf("%q as %q leaves %q", text, value, got)
		}
	})
}
