package review_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/kamal-op/kamal-op/internal/kamal/resolved"
	"github.com/kamal-op/kamal-op/internal/problem"
	"github.com/kamal-op/kamal-op/internal/review"
)

// configured reads what real Kamal wrote of a project.
func configured(t *testing.T, name string) resolved.Configuration {
	t.Helper()
	raw, err := os.ReadFile("testdata/resolved/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	r, err := resolved.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// careful is the preview of a project that does it right.
func careful(t *testing.T) resolved.Configuration {
	a := app(t, 12)
	return resolvedFor(a.Service, a.Destination, a.Version, a.Host, []string{"192.0.2.1"})
}

func messages(err error) string {
	var list []string
	for _, p := range problem.Of(err) {
		list = append(list, p.Message)
	}
	return strings.Join(list, "\n")
}

// What is production's by the merge, as real Kamal resolves it.
func TestSafety_Careless(t *testing.T) {
	production := configured(t, "production")
	err := review.Safety{}.Check(app(t, 12), configured(t, "preview-careless"), &production)
	want := `the preview's role job would run with --volume shop_storage:/storage, which is not its own
the preview's role job would run with --volume /etc/ssl:/etc/ssl:ro, which is not its own
the preview's role web would run with --volume shop_storage:/storage, which is not its own
the preview's role web would run with --volume /etc/ssl:/etc/ssl:ro, which is not its own
the preview's accessory db would run with --publish 127.0.0.1:5432:5432, which is not its own`
	if got := messages(err); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// The file that a project begins with, as real Kamal resolves it.
func TestSafety_Overlay(t *testing.T) {
	production := configured(t, "production")
	if err := (review.Safety{}).Check(app(t, 12), configured(t, "preview"), &production); err != nil {
		t.Error(messages(err))
	}
	if !strings.Contains(review.Overlay, `ENV.fetch("REVIEW_SERVICE")`) {
		t.Error("the overlay takes no service")
	}
}

func TestSafety_EachWayToTouchAnother(t *testing.T) {
	production := resolvedFor("shop", "", "v1", "shop.example.com", []string{"192.0.2.1"})
	web := func(r resolved.Configuration, f func(*resolved.Role)) resolved.Configuration {
		role := r.Roles["web"]
		f(&role)
		r.Roles["web"] = role
		return r
	}
	db := func(r resolved.Configuration, f func(*resolved.Accessory)) resolved.Configuration {
		a := r.Accessories["db"]
		f(&a)
		r.Accessories["db"] = a
		return r
	}
	named := func(service string) func(resolved.Configuration) resolved.Configuration {
		return func(r resolved.Configuration) resolved.Configuration {
			return db(r, func(a *resolved.Accessory) { a.Service = service })
		}
	}
	for _, tc := range []struct {
		name   string
		shared []string
		change func(resolved.Configuration) resolved.Configuration
		want   string
	}{
		{"nothing", nil, func(r resolved.Configuration) resolved.Configuration { return r }, ""},
		{"production's service", nil, func(r resolved.Configuration) resolved.Configuration { r.Service = "shop"; return r }, "the preview's service is shop, not shop-pr-12"},
		{"another preview's service", nil, func(r resolved.Configuration) resolved.Configuration { r.Service = "shop-pr-1"; return r }, "the preview's service is shop-pr-1, not shop-pr-12"},
		{"no destination", nil, func(r resolved.Configuration) resolved.Configuration { r.Destination = ""; return r }, `the preview's destination is "", not "review"`},
		{"another tag", nil, func(r resolved.Configuration) resolved.Configuration { r.Version = "latest"; return r }, "the preview's image is tagged latest, not pr-12-"},
		{"production's host", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) { w.Proxy.Hosts = []string{"Shop.example.com"} })
		}, "the preview's role web would answer for Shop.example.com, which is production's role web"},
		{"another preview's host", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) { w.Proxy.Hosts = []string{"pr-1.review.example.com"} })
		}, "the preview's role web would answer for pr-1.review.example.com, not pr-12.review.example.com"},
		{"a host that ends alike", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) { w.Proxy.Hosts = []string{"xpr-12.review.example.com"} })
		}, "the preview's role web would answer for xpr-12.review.example.com, not"},
		{"beneath its host", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) {
				w.Proxy.Hosts = []string{"pr-12.review.example.com", "admin.pr-12.review.example.com"}
			})
		}, ""},
		{"every host", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) { w.Proxy.Hosts = nil })
		}, "the preview's role web answers for every host"},
		{"no proxy", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) { w.Proxy = nil })
		}, "the preview has no role that takes requests"},
		{"production's label", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) { w.Run = insert(w.Run, `--label service="shop"`) })
		}, `the label service of the preview's role web is "shop", not "shop-pr-12"`},
		{"another's number", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) { w.Run = insert(w.Run, "-l kamal-op.review.number=13") })
		}, `the label kamal-op.review.number of the preview's role web is "13", not "12"`},
		{"no label", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) {
				w.Run = []string{regexp.MustCompile(`--label kamal-op.review.number=\S+ `).ReplaceAllString(w.Run[0], "")}
			})
		}, `the label kamal-op.review.number of the preview's role web is "", not "12"`},
		{"the image as an option's value", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) { w.Run = insert(w.Run, "--workdir "+r.Image+":"+r.Version+" evil") })
		}, "the preview's role web would run the image evil, not registry.example/shop:pr-12-"},
		{"no docker run", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) { w.Run = nil })
		}, "how Kamal would run the preview's role web is not known"},
		{"another image", nil, func(r resolved.Configuration) resolved.Configuration {
			return web(r, func(w *resolved.Role) { w.Run = insert(w.Run, "evil") })
		}, "the preview's role web would run the image evil, not registry.example/shop:pr-12-"},
		{"an accessory's host", nil, func(r resolved.Configuration) resolved.Configuration {
			return db(r, func(a *resolved.Accessory) { a.Proxy = &resolved.Proxy{Hosts: []string{"shop.example.com"}} })
		}, "the preview's accessory db would answer for shop.example.com"},
		{"production's accessory", nil, named("shop-db"), "the preview's accessory db is shop-db, which is not its own"},
		{"another preview's accessory", nil, named("shop-pr-123-db"), "the preview's accessory db is shop-pr-123-db, which is not its own"},
		{"an accessory that is the app", nil, named("shop-pr-12"), "the preview's accessory db is shop-pr-12, which is not its own"},
		{"a shared one that is told", []string{"db"}, func(r resolved.Configuration) resolved.Configuration {
			r.Accessories["db"] = accessory("shop-db", "postgres:16", r.Hosts)
			return r
		}, ""},
		{"a shared one that is not there", []string{"db", "redis"}, func(r resolved.Configuration) resolved.Configuration { return r }, "the shared accessory redis is not in the configuration"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := review.Safety{SharedAccessories: tc.shared}.Check(app(t, 12), tc.change(careful(t)), &production)
			got, _, more := strings.Cut(messages(err), "\n")
			if more && (strings.Contains(got, "which is not its own") || strings.Contains(got, "is tagged")) {
				more = false // its label or its image is another's as well
			}
			if tc.want == "" && got != "" || tc.want != "" && (!strings.HasPrefix(got, tc.want) || more) {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

// insert puts options before the image.
func insert(lines []string, options string) []string {
	list := make([]string, len(lines))
	for i, l := range lines {
		at := strings.LastIndex(l, " ")
		list[i] = l[:at] + " " + options + l[at:]
	}
	return list
}

// What a preview would run with beside its own: each of docker run's options, in
// each way to write it. "" is allowed; otherwise the option is named.
func TestSafety_RefusesWhatIsNotThePreviewsOwn(t *testing.T) {
	for options, want := range map[string]string{
		// The host's folders.
		"--volume /:/host":     "--volume /:/host",
		"--volume=/:/host":     "--volume /:/host",
		"-v /:/host":           "--volume /:/host",
		"-v/:/host":            "--volume /:/host",
		"-v=/:/host":           "--volume /:/host",
		"-itv /:/host":         "--volume /:/host",
		"--init -dv/:/host":    "--volume /:/host",
		`--volume "/:/host"`:   "--volume /:/host",
		`--vol"ume" '/':/host`: "--volume /:/host",
		`--volume \/:/host`:    "--volume /:/host",
		"--volume /:/host:ro":  "--volume /:/host:ro",
		"-v //:/host":          "--volume //:/host",
		"-v /./:/host":         "--volume /./:/host",
		"-v /var/run/docker.sock:/var/run/docker.sock":      "--volume /var/run/docker.sock",
		"-v /var/run/docker.sock/:/d:ro":                    "--volume /var/run/docker.sock/",
		"-v $PWD/shop-db/data/:/data":                       "--volume $PWD/shop-db/data/:/data",
		"-v ./shop-db/data:/data":                           "--volume ./shop-db/data:/data",
		"-v $PWD/shop-pr-12/../shop-db/data:/data":          "--volume $PWD/shop-pr-12/../shop-db/data:/data",
		"-v $PWD/shop-pr-12-db/../..:/data":                 "--volume $PWD/shop-pr-12-db/../..:/data",
		"-v ${PWD}/../:/data":                               "--volume ${PWD}/../:/data",
		"-v $PWD:/data":                                     "--volume $PWD:/data",
		"-v $HOME/shop-pr-12:/data":                         "--volume $HOME/shop-pr-12:/data",
		"-v ~/shop-pr-12:/data":                             "--volume ~/shop-pr-12:/data",
		"-v .:/data":                                        "--volume .:/data",
		"-v $PWD/.ssh:/data":                                "--volume $PWD/.ssh:/data",
		"-v $PWD/.kamal/apps/shop/env:/data":                "--volume $PWD/.kamal/apps/shop/env:/data",
		"-v $PWD/.kamal/apps/shop-pr-120-review/x:/data":    "--volume $PWD/.kamal/apps/shop-pr-120-review/x:/data",
		"-v $PWD/.kamal/apps/shop-pr-12-review/assets:/a":   "",
		"-v $PWD/shop-pr-12-db/data:/data:z":                "",
		"-v ./shop-pr-12/x:/data":                           "",
		"-v $PWD/shop-pr-12/x:/data:rshared":                "--volume $PWD/shop-pr-12/x:/data:rshared",
		"-v $PWD/shop-pr-12/x:/data$IFS--privileged":        "--volume $PWD/shop-pr-12/x:/data$IFS--privileged",
		"--mount type=bind,src=/,dst=/host":                 "--mount type=bind,src=/,dst=/host",
		"--mount=type=bind,source=/,target=/host,readonly":  "--mount type=bind,source=/",
		`--mount "TYPE=bind",Source=/etc,dst=/host`:         "--mount TYPE=bind,Source=/etc",
		"--mount src=shop_storage,dst=/x":                   "--mount src=shop_storage,dst=/x",
		"--mount src=shop-pr-12_storage,dst=/x":             "",
		"--mount type=tmpfs,dst=/x,tmpfs-size=64m":          "",
		"--mount type=bind,src=./shop-pr-12/x,dst=/x":       "",
		"--mount type=image,src=alpine,dst=/x":              "--mount type=image",
		"--mount src=shop-pr-12_x,dst=/x,volume-driver=x":   "--mount src=shop-pr-12_x",
		"--mount src=shop-pr-12_x,dst=/x,volume-opt=type=9": "--mount src=shop-pr-12_x",
		// Volumes.
		"--volume shop_storage:/storage":                                "--volume shop_storage:/storage",
		"--volume shop-pr-1_storage:/storage":                           "--volume shop-pr-1_storage:/storage",
		"--volume shop-pr-120_storage:/storage":                         "--volume shop-pr-120_storage:/storage",
		"--volume shop-pr-12x:/storage":                                 "--volume shop-pr-12x:/storage",
		"--volume shop-pr-12:/a -v shop-pr-12.x:/b -v /cache":           "",
		"--volumes-from shop-db":                                        "--volumes-from shop-db",
		"--volume-driver local":                                         "--volume-driver local",
		"--env-file .kamal/apps/shop/env/roles/web.env":                 "--env-file .kamal/apps/shop/env",
		"--env-file .kamal/apps/shop-pr-12-review/env/../../shop/env/x": "--env-file .kamal/apps",
		"--env-file .kamal/apps/shop-pr-12-review/env/roles/web.env":    "",
		// Ports.
		"--publish 8080:80":                 "--publish 8080:80",
		"-p80:80":                           "--publish 80:80",
		"-p=127.0.0.1:5432:5432":            "--publish 127.0.0.1:5432:5432",
		"-p [::1]:5432:5432/tcp":            "--publish [::1]:5432:5432/tcp",
		"-p published=80,target=80":         "--publish published=80,target=80",
		"-p target=8080:80":                 "--publish target=8080:80",
		"-p target=80,protocol=tcp:8080":    "--publish target=80,protocol=tcp:8080",
		"-p published=0,published=80":       "--publish published=0,published=80",
		"-p 'published=80, published=0'":    "--publish published=80, published=0",
		"-p 127.0.0.1::5432 -p [::1]::5432": "",
		"-p 5432 -p 0:80 -p target=80 -P":   "",
		"--expose 80":                       "",
		// What is the host's.
		"--privileged":                           "--privileged",
		"--privileged=true":                      "--privileged",
		"--privileged=false":                     "",
		"--cap-add SYS_ADMIN":                    "--cap-add SYS_ADMIN",
		"--cap-drop ALL":                         "",
		"--device /dev/sda":                      "--device /dev/sda",
		"--device-cgroup-rule=a":                 "--device-cgroup-rule a",
		"--gpus all":                             "--gpus all",
		"--pid host":                             "--pid host",
		"--pid=container:shop":                   "--pid container:shop",
		"--ipc host":                             "--ipc host",
		"--ipc private":                          "",
		"--uts=host":                             "--uts host",
		"--userns host":                          "--userns host",
		"--cgroupns=host":                        "--cgroupns host",
		"--cgroup-parent /":                      "--cgroup-parent /",
		"--network host":                         "--network host",
		"--net=container:shop-db":                "--network container:shop-db",
		"--network name=host":                    "--network name=host",
		"--network name=kamal,alias=shop-db":     "--network name=kamal,alias=shop-db",
		"--network kamal,ip=10.0.0.2":            "--network kamal,ip=10.0.0.2",
		"--network none":                         "",
		"--network shop-pr-12-net":               "",
		"--network-alias shop-db":                "--network-alias shop-db",
		"--net-alias shop-pr-12-db":              "",
		"--hostname shop-db":                     "--hostname shop-db",
		"-hshop-db":                              "--hostname shop-db",
		"--name shop-web":                        "--name shop-web",
		"--link shop-db":                         "--link shop-db",
		"--ip 10.0.0.2":                          "--ip 10.0.0.2",
		"--security-opt seccomp=unconfined":      "--security-opt seccomp=unconfined",
		"--security-opt no-new-privileges":       "",
		"--security-opt=no-new-privileges:false": "--security-opt no-new-privileges:false",
		"--add-host db:10.0.0.2":                 "--add-host db:10.0.0.2",
		"--runtime runsc":                        "--runtime runsc",
		"--use-api-socket":                       "--use-api-socket",
		"--cidfile /x":                           "--cidfile /x",
		"--label-file /x":                        "--label-file /x",
		"--oom-kill-disable":                     "--oom-kill-disable",
		"--frobnicate":                           "--frobnicate",
		"--frobnicate=1":                         "--frobnicate 1",
		"-X":                                     "--X",
		`--env "A=${B}" --env A=b -m 512m --cpus=1 --ulimit nofile=1 --log-opt max-size="10m" --tmpfs /x --init --user 0`: "",
		"--env A=$B": "--env A",
		// What a shell takes out of a word in quotes, or puts in.
		`--mount "type=bind,src=/${X:+,src=shop-pr-12/x},dst=/m"`:     "--mount type=bind,src=/${X:+,src=shop-pr-12/x},dst=/m",
		`--mount "type=bind,src=${PWD}/shop-pr-12/x,dst=/m"`:          "",
		"--mount type=bind,src=./shop-pr-12/x,dst=/x$IFS--privileged": "--mount type=bind,src=./shop-pr-12/x,dst=/x$IFS--privileged",
		`--publish "80:80${X:+::80}"`:                                 "--publish 80:80${X:+::80}",
		"--publish [::]:80:80::80":                                    "--publish [::]:80:80::80",
		`--name "shop-pr-12${X:+-}0"`:                                 "--name shop-pr-12${X:+-}0",
		`--hostname "shop-pr-12-${X:-x}"`:                             "--hostname shop-pr-12-${X:-x}",
		`--label "ser${X:+x}vice=shop"`:                               "--label ser${X:+x}vice",
		`--label "${X:+x=}service=shop"`:                              "--label ${X:+x",
		`--label "team=\$y ${HOSTNAME}"`:                              "",
		"--mount type=bind,src=shop-pr-120,dst=/x":                    "--mount type=bind,src=shop-pr-120,dst=/x",
		"--mount type=bind,src=shop-pr-12.d/x,dst=/":                  "",
		"--mount src=shop-pr-12_x,dst=/x{a..b}":                       "--mount src=shop-pr-12_x,dst=/x{a..b}",
		"-v shop-pr-12_x:/d{,y}:ro":                                   "--volume shop-pr-12_x:/d{,y}:ro",
		"-v shop-pr-12-{x,y}:/d":                                      "--volume shop-pr-12-{x,y}:/d",
		"-v $PWD/.kamal/apps/shop-pr-12-review2/x:/d":                 "--volume $PWD/.kamal/apps/shop-pr-12-review2/x:/d",
		"--memory $X": "--memory $X",
	} {
		r := careful(t)
		role := r.Roles["web"]
		role.Run = insert(role.Run, options)
		r.Roles["web"] = role
		got := messages(review.Safety{}.Check(app(t, 12), r, nil))
		if want == "" && got != "" || want != "" && (!strings.HasPrefix(got, "the preview's role web would run with "+want) || strings.Contains(got, "\n")) {
			t.Errorf("%s:\n got %q\nwant %q", options, got, want)
		}
	}
}

// The host's shell reads Kamal's line: what is more than one docker run is refused.
func TestSafety_RefusesWhatTheHostsShellWouldRun(t *testing.T) {
	for line, want := range map[string]string{
		"docker run %s":                          "",
		"docker run %s bin/x 'a; b' \"c && $D\"": "",
		"docker run %s bin/x\n":                  "",
		"docker run %s bin/x; docker rm shop":    "a ';' outside of quotes",
		"docker run %s bin/x && y":               "a '&' outside of quotes",
		"docker run %s bin/x | y":                "a '|' outside of quotes",
		"docker run %s bin/x > /etc/x":           "a '>' outside of quotes",
		"docker run %s bin/x\ny":                 `a '\n' outside of quotes`,
		"docker run %s bin/x $(y)":               "the output of another command",
		"docker run %s \"`y`\"":                  "the output of another command",
		"docker run %s \"${A:-$(y)}\"":           "a variable within a variable",
		"docker run %s 'x":                       "a quote that is not closed",
		"docker run %s \"x":                      "a quote that is not closed",
		"docker run # %s":                        "a comment",
		"docker run $X %s":                       "a word that the host's shell makes up",
		"docker run {--privileged,x} %s":         "a word that the host's shell makes up",
		"docker run \\\n --privileged %s":        "a line that goes on",
		"docker exec %s":                         "another command than docker run",
		"sudo docker run %s":                     "another command than docker run",
		"docker run --name":                      "a docker run without an image",
	} {
		r := careful(t)
		role := r.Roles["web"]
		role.Run = []string{strings.Replace(line, "%s", strings.TrimPrefix(role.Run[0], "docker run "), 1)}
		r.Roles["web"] = role
		got := messages(review.Safety{}.Check(app(t, 12), r, nil))
		if want == "" && got != "" || want != "" && got != "the preview's role web is not one docker run: there is "+want {
			t.Errorf("%s:\n got %q\nwant %q", line, got, want)
		}
	}
}

func TestSafety_AllowsWhatSomebodySaysYesTo(t *testing.T) {
	for _, tc := range []struct {
		options string
		allowed []string
		want    string
	}{
		{"--add-host db:10.0.0.2", []string{"add-host=db:10.0.0.2"}, ""},
		{"--add-host db:10.0.0.3", []string{"add-host=db:10.0.0.2"}, "--add-host db:10.0.0.3"},
		{"--add-host db:10.0.0.20", []string{"add-host=db:10.0.0.2"}, "--add-host db:10.0.0.20"},
		{"-v /srv/shop-pr-12:/x", []string{"--volume=/srv/{service}:/x"}, ""},
		{"-v /srv/12:/x", []string{"v=/srv/{number}:/x"}, ""},
		{"-v /srv/13:/x", []string{"v=/srv/{number}:/x"}, "--volume /srv/13:/x"},
		{"-v /:/x -p 80:80", []string{"volume"}, "--publish 80:80"},
		{"--gpus all --frobnicate 1", []string{"gpus", "frobnicate"}, ""},
		{"--privileged", []string{"privilege", "", "="}, "--privileged"},
		{"--label service=shop", []string{"label"}, "label service"},
	} {
		r := careful(t)
		role := r.Roles["web"]
		role.Run = insert(role.Run, tc.options)
		r.Roles["web"] = role
		err := review.Safety{AllowOptions: tc.allowed}.Check(app(t, 12), r, nil)
		if got := messages(err); (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
			t.Errorf("%s with %q: %q", tc.options, tc.allowed, got)
		}
		for _, p := range problem.Of(err) {
			if tc.want != "label service" && !strings.Contains(p.Hint, "--allow-option '") {
				t.Errorf("%s: the hint does not say how to allow it: %s", tc.options, p.Hint)
			}
		}
	}
}

// kamal-proxy is everybody's on a host: a preview may run it as Kamal does by itself,
// or just as production does.
func TestSafety_Proxy(t *testing.T) {
	const usual = `docker run --name kamal-proxy --network kamal --detach --restart unless-stopped --volume kamal-proxy-config:/home/kamal-proxy/.config/kamal-proxy --volume $PWD/.kamal/proxy/apps-config:/home/kamal-proxy/.apps-config --publish 127.0.0.1:8080:80 --publish 8443:443 --log-opt max-size="10m" basecamp/kamal-proxy:v0.9.2 kamal-proxy run`
	with := strings.Replace(usual, "basecamp", "--volume /certs:/certs mirror.example/basecamp", 1)
	for _, tc := range []struct{ preview, production, want string }{
		{usual, "", ""},
		{with, with, ""},
		{with, usual, "the preview's kamal-proxy would run with --volume /certs:/certs, which is not its own\nthe preview's kamal-proxy would run the image mirror.example/basecamp/kamal-proxy:v0.9.2"},
		{strings.Replace(usual, "8443:443", "25:25", 1), usual, "the preview's kamal-proxy would run with --publish 25:25, which is not its own"},
		{strings.Replace(usual, "--network kamal", "--network host", 1), "", "the preview's kamal-proxy would run with --network host, which is not its own"},
		{strings.Replace(usual, `max-size="10m"`, "max-size=$X", 1), "", "the preview's kamal-proxy would run with --log-opt max-size=$X, which is not its own"},
		{strings.Replace(usual, "--name kamal-proxy", "--name shop", 1), "", "the preview's kamal-proxy would run with --name shop, which is not its own"},
	} {
		r := careful(t)
		r.ProxyRun = []string{tc.preview}
		production := resolvedFor("shop", "", "v1", "shop.example.com", []string{"192.0.2.1"})
		production.ProxyRun = []string{tc.production}
		if got := messages(review.Safety{}.Check(app(t, 12), r, &production)); got != tc.want {
			t.Errorf("%s\n got %q\nwant %q", tc.preview, got, tc.want)
		}
	}
}

func TestCheckItems(t *testing.T) {
	production := []string{"MyApp/Production", "MyApp/Server"}
	for _, tc := range []struct {
		preview []string
		want    string
	}{
		{[]string{"Previews/Production", "MyApp/Review"}, ""},
		{[]string{"MyApp/Review", "myapp/production", "MyApp/Production"}, "the preview would read op://myapp/production, where production's secrets are"},
		{nil, ""},
	} {
		if got := messages(review.CheckItems(production, tc.preview)); got != tc.want {
			t.Errorf("%q: %q", tc.preview, got)
		}
	}
}
