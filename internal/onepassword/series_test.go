package onepassword_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kamal-op/kamal-op/internal/onepassword"
	"github.com/kamal-op/kamal-op/internal/standin"
)

// roundTrip is what each request of the series takes.
const roundTrip = 100 * time.Millisecond

// slowConnect answers as Connect does, each request after a round trip: two vaults of
// two items, each with a field and two files.
func slowConnect(t *testing.T) *onepassword.Connect {
	type object = map[string]any
	vaults, items := []object{}, map[string][]object{}
	whole, files := map[string]object{}, map[string]string{}
	for _, v := range []string{"va", "vb"} {
		vaults = append(vaults, object{"id": id(v), "name": v})
		path := "/v1/vaults/" + id(v) + "/items"
		for _, i := range []string{"one", "two"} {
			item := object{"id": id(i), "title": i, "vault": object{"id": id(v)}}
			items[path] = append(items[path], item)
			full := object{"fields": []object{{"id": id("f"), "label": "A", "value": v + i}}}
			var attached []object
			for _, name := range []string{"x", "y"} {
				attached = append(attached, object{"id": id(name), "name": name, "size": 1})
				files[path+"/"+id(i)+"/files/"+id(name)+"/content"] = name
			}
			full["files"] = attached
			for key, value := range item {
				full[key] = value
			}
			whole[path+"/"+id(i)] = full
		}
	}
	return connectOver(t, func(r *http.Request) (*http.Response, error) {
		time.Sleep(roundTrip)
		var answer any = vaults
		if content, ok := files[r.URL.Path]; ok {
			return &http.Response{StatusCode: http.StatusOK, ContentLength: 1, Body: io.NopCloser(strings.NewReader(content))}, nil
		} else if item, ok := whole[r.URL.Path]; ok {
			answer = item
		} else if list, ok := items[r.URL.Path]; ok {
			answer = list
		} else if r.URL.Path != "/v1/vaults" {
			t.Errorf("an unexpected request: %s", r.URL.Path)
		}
		text, err := json.Marshal(answer)
		if err != nil {
			t.Error(err)
		}
		return &http.Response{StatusCode: http.StatusOK, ContentLength: int64(len(text)), Body: io.NopCloser(strings.NewReader(string(text)))}, nil
	})
}

// TestResolver_AsksSideBySide: what does not depend on each other is asked side by
// side. It is not the number of requests that a deploy waits for, but how many come
// one after another.
func TestResolver_AsksSideBySide(t *testing.T) {
	for name, test := range map[string]struct {
		lines  []string
		series int
	}{
		"by names":        {[]string{"A=op://va/one/A", "B=op://va/two/A", "C=op://vb/one/A", "D=op://vb/two/A"}, 3},
		"vaults by ids":   {[]string{"A=op://" + id("va") + "/one/A", "B=op://" + id("va") + "/two/A", "C=op://" + id("vb") + "/one/A"}, 2},
		"all by ids":      {[]string{"A=op://" + id("va") + "/" + id("one") + "/A", "B=op://" + id("vb") + "/" + id("two") + "/A"}, 1},
		"a whole item":    {[]string{"op://va/one", "B=op://vb/one/A"}, 3},
		"files by names":  {[]string{"A=op://va/one/x", "B=op://va/one/y", "C=op://vb/two/x", "D=op://vb/two/y"}, 4},
		"one file of ids": {[]string{"A=op://" + id("va") + "/" + id("one") + "/x"}, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := onepassword.NewResolver(slowConnect(t), onepassword.Options{})
			began := time.Now()
			if _, err := r.Resolve(t.Context(), declare(t, test.lines...)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(began); took != time.Duration(test.series)*roundTrip {
				t.Errorf("%s: %v, want %d round trips", name, took, test.series)
			}
		})
	}
}

// TestServiceAccount_CountsRequestsInSeries: the SDK's core makes one request at a time, so
// that every call of it is one of the series.
func TestServiceAccount_CountsRequestsInSeries(t *testing.T) {
	vault := standin.VaultSpec{ID: id("v"), Name: "MyApp", Items: []standin.ItemSpec{
		{ID: id("one"), Title: "one", Fields: []standin.FieldSpec{{Label: "A", Value: "1"}}},
		{ID: id("two"), Title: "two", Fields: []standin.FieldSpec{{Label: "A", Value: "2"}}},
	}}
	for name, test := range map[string]struct {
		lines []string
		calls []string
	}{
		"by names":    {[]string{"A=op://MyApp/one/A", "B=op://MyApp/two/A"}, []string{"login", "vaults", "items " + id("v"), "get " + id("v")}},
		"vault by id": {[]string{"A=op://" + id("v") + "/one/A", "B=op://" + id("v") + "/two/A"}, []string{"login", "items " + id("v"), "get " + id("v")}},
		"all by ids":  {[]string{"A=op://" + id("v") + "/" + id("one") + "/A", "B=op://" + id("v") + "/" + id("two") + "/A"}, []string{"login", "get " + id("v")}},
		"item by id":  {[]string{"A=op://MyApp/" + id("one") + "/A"}, []string{"login", "vaults", "get " + id("v")}},
	} {
		fake := &fakeSDK{t: t, vaults: []standin.VaultSpec{vault}}
		if _, err := fake.resolver(onepassword.Options{}).Resolve(t.Context(), declare(t, test.lines...)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(test.calls, fake.calls); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
