package mask_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"

	"github.com/kamal-op/kamal-op/mask"
)

func Example() {
	m := mask.New()
	m.AddSecret(mask.NewSecret("DB_PASSWORD", "correct horse"))

	stdout := m.Writer(os.Stdout)
	cmd := exec.Command("echo", "connecting with password=correct horse")
	cmd.Stdout = stdout
	if err := cmd.Run(); err != nil {
		fmt.Println(err)
	}
	if err := stdout.Close(); err != nil {
		fmt.Println(err)
	}
	// Output: connecting with password=***
}

func ExampleMasker_String() {
	m := mask.New()
	m.Add("it's a secret")
	fmt.Println(m.String(`as is:   it's a secret`))
	fmt.Println(m.String(`shell:   'it'\''s a secret'`))
	fmt.Println(m.String(`URL:     ?q=it%27s+a+secret`))
	fmt.Println(m.String(`base64:  ` + base64.StdEncoding.EncodeToString([]byte("user:it's a secret"))))
	fmt.Printf("%q\n", m.String("colours: it's a \x1b[1msecret"))
	// Output:
	// as is:   ***
	// shell:   '***'
	// URL:     ?q=***
	// base64:  dXNlcjp***
	// "colours: ***\x1b[1m"
}

func ExampleMasker_Add_lines() {
	m := mask.New()
	m.Add("first line of a key\nsecond line of a key\n")
	fmt.Println(m.String("#12 0.31   first line of a key"))
	fmt.Println(m.String("#12 0.32   second line of a key"))
	// Output:
	// #12 0.31   ***
	// #12 0.32   ***
}

func ExampleMasker_Writer_heldBack() {
	m := mask.New()
	m.Add("hunter22")
	w := m.Writer(os.Stdout)
	for _, part := range []string{"Password: ", "hun", "ter", "22", "!\n"} {
		if _, err := io.WriteString(w, part); err != nil {
			fmt.Println(err)
		}
	}
	// Output: Password: ***!
}

func ExampleMasker_Skipped() {
	m := mask.New()
	m.AddSecret(mask.NewSecret("PIN", "123"))
	m.AddSecret(mask.NewSecret("CONFIG", "{\n  \"token\": \"hunter22\"\n}"))
	for _, s := range m.Skipped() {
		fmt.Println(s)
	}
	// Output:
	// PIN is shorter than 4 bytes
	// CONFIG: lines 1, 3 are shorter than 4 bytes
}

func ExampleMasker_Noisy() {
	m := mask.New()
	m.AddSecret(mask.NewSecret("RAILS_ENV", "production"))
	for _, n := range m.Noisy() {
		fmt.Println(n)
	}
	// Output: RAILS_ENV is a common word
}

func ExampleSecret() {
	s := mask.NewSecret("DB_PASSWORD", "correct horse")
	fmt.Printf("%s %v %q %#v %x\n", s, s, s, s, s)

	config := struct{ Password mask.Secret }{s}
	b, err := json.Marshal(config)
	fmt.Println(string(b), err)

	slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})).Info("connecting", "password", s)

	fmt.Println(s.Name(), len(s.Reveal()))
	// Output:
	// *** *** *** *** ***
	// {"Password":"***"} <nil>
	// level=INFO msg=connecting password=***
	// DB_PASSWORD 13
}

func ExampleNewCommands() {
	m := mask.New()
	m.Add("hunter22")
	w := m.Writer(mask.NewCommands(os.Stdout))
	if _, err := io.WriteString(w, "::set-output name=x::hunter22\n##[group]not ours\n"); err != nil {
		fmt.Println(err)
	}
	// Output:
	// :\:set-output name=x::***
	// ##\[group]not ours
}
