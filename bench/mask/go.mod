module github.com/kamal-op/kamal-op/bench/mask

go 1.26.0

require github.com/kamal-op/kamal-op v0.0.0

require golang.org/x/sys v0.49.0 // indirect

replace github.com/kamal-op/kamal-op => ../..
