// Command kamal-op deploys with Kamal, with the secrets and the SSH key out of
// 1Password. See README.md, and `kamal-op --help`.
package main

import "github.com/kamal-op/kamal-op/internal/program"

func main() { program.Main() }
