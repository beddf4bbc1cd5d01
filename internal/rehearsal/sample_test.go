package rehearsal_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/rehearsal"
)

func TestRun_RehearsesTheSample(t *testing.T) {
	kamal := needsKamal(t)
	before := state(t)
	d := &deployer{t: t, kamal: kamal}
	var out bytes.Buffer
	err := rehearsal.Run(t.Context(), options(t, d, &out))
	t.Logf("%s", out.String())
	if err != nil {
		t.Errorf("%v\n%s", err, d.log.String())
	}
	for _, want := range []string{
		"myapp.example.com answers / through kamal-proxy: 200",
		"byte for byte as in the vault: CHATKIT_PK, DATABASE_PASSWORD, MAILGUN_INGRESS_SIGNING_KEY, RAILS_MASTER_KEY",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing says %q", want)
		}
	}
	noValues(t, out.String()+d.log.String(), d.values)
	if after := state(t); after != before {
		t.Errorf("left behind:\n%s\nbefore:\n%s", after, before)
	}
}
