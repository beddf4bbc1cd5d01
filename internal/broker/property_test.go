package broker_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kamal-op/kamal-op/internal/broker"
	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/mask"
)

// pieces are what values are made of: all that dotenv, a shell, Ruby or JSON reads
// as something else.
var pieces = []string{
	"$", "$$", "$A", "${X}", "${HOME}", "$HOME", "$1", "\\$A", "$(touch /tmp/kamal-op-was-here)", "$(id)", "\\$(id)", "`id`", "(", ")", "()",
	"'", "\"", "\\\"", "\\'", "#", " # ", "\\", "\\\\", "\\n", "\\t", " ", "  ", "\n", "\r\n", "\t", "\r", "\x1b[31m", "\x01", "\x7f",
	"é", "日本", "🔑", "\u00a0", "\ufeff", "\uf8e6", "\uf8e60\uf8e7", "\u2028", "e\u0301",
	"=", "A=B", "export X=1", ";", "&&", "|", ">", "<", "*", "?", "~", "!", "%", "{{ op://V/I/f }}", "op://MyApp/Production/A", "<%= 1 %>",
	`{"a":"b\"c","d":[1,null]}`, "abc", "0", "null", "true", "-", "--", "-n", "password", "word", "K8s", "ümlaut",
}

// randomValue is one of many pieces, sometimes a key, JSON, or long.
func randomValue(r *rand.Rand) string {
	var b strings.Builder
	switch r.IntN(20) {
	case 0: // as PEM is; not a key
		b.WriteString("-----BEGIN SAMPLE-----\n")
		for range 1 + r.IntN(20) {
			for range 64 {
				b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[r.IntN(64)])
			}
			b.WriteByte('\n')
		}
		b.WriteString("-----END SAMPLE-----\n")
		return b.String()
	case 1:
		for b.Len() < 16<<10 {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String()
	}
	for range 1 + r.IntN(12) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	b.WriteString(strings.Repeat("\n", max(0, r.IntN(6)-3)))
	return b.String()
}

// A thousand random values, by every route, arrive in Kamal as they are in the
// vault, and in its env file as its own escaping makes them.
func TestKamal_GetsEveryValue(t *testing.T) {
	bothOrders(t, func(t *testing.T, order string) {
		seed := uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		const values, batch = 1000, 200
		wrong := 0
		for from := 0; from < values; from += batch {
			want := map[string]string{}
			fields, declared := item{}, map[string]string{}
			var names, fetched, lines []string
			for n := from; n < from+batch; n++ {
				name, value := fmt.Sprintf("V%d", n), randomValue(random)
				want[name] = value
				names = append(names, name)
				switch n % 3 {
				case 0:
					fields[name] = value
					fetched = append(fetched, name)
					lines = append(lines, fmt.Sprintf("%s=$(kamal secrets extract %s ${SECRETS})", name, name))
				case 1:
					fields[name] = value
					lines = append(lines, fmt.Sprintf("%s=$(op read op://MyApp/Production/%s)", name, name))
				default:
					declared[name] = value
					lines = append(lines, fmt.Sprintf("%s=$%s", name, name))
				}
			}
			secrets := "A=1\nSECRETS=$(kamal secrets fetch --adapter 1password --account acme --from MyApp/Production " +
				strings.Join(fetched, " ") + ")\n" + strings.Join(lines, "\n") + "\n"
			r := start(t, map[string]string{"config/deploy.yml": deployYML(names...), ".kamal/secrets": secrets},
				map[string]item{"Production": fields}, declare(declared), func(o *broker.Options) { o.AllowReferences = names })
			h, output, status := r.kamal(order, "config")
			if status != 0 || len(h.secrets) < batch {
				t.Fatalf("status %d, %d secrets\n%.2000s\n%v", status, len(h.secrets), output, r.Problems())
			}
			for name, value := range want {
				if h.secrets[name] != value {
					wrong++
					t.Errorf("Kamal holds %.200q for %.200q", h.secrets[name], value)
				}
				if line := "X=" + kamal.EnvFileValue(value) + "\n"; h.env[name] != line {
					wrong++
					t.Errorf("the env file has %.200q, not %.200q", h.env[name], line)
				}
				if !r.isMasked(value) {
					t.Errorf("not masked: %.200q", value)
				}
			}
		}
		t.Logf("%d of %d values differ", wrong, values)
		if _, err := os.Stat("/tmp/kamal-op-was-here"); err == nil {
			t.Error("a value was executed")
		}
	})
}

// A NUL byte can stand in no environment: it is an error, not a shorter value.
func TestKamal_StopsAtANUL(t *testing.T) {
	needKamal(t)
	r := start(t, map[string]string{"config/deploy.yml": deployYML("A"), ".kamal/secrets": "A=$(op read op://MyApp/Production/A)\n"},
		map[string]item{"Production": {"A": "a\x00b"}})
	if _, output, status := r.kamal("", "deploy"); status != 1 || !strings.Contains(output, "NUL byte") {
		t.Errorf("%d\n%s", status, output)
	}
	r = start(t, map[string]string{"config/deploy.yml": deployYML("A")}, nil, func(o *broker.Options) {
		o.Declared = []broker.DeclaredSecret{{Secret: mask.NewSecret("A", "a\x00b")}}
	})
	if _, output, status := r.kamal("", "deploy"); status != 1 || !strings.Contains(output, "NUL byte") {
		t.Errorf("%d\n%s", status, output)
	}
}
