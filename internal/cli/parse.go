package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// parse makes a grammar of a command line. exited is the status that kong wants to exit
// with, as it does behind --help, else -1.
//
// kong takes as long for the commands that are not meant as for all else that comes
// before a run: a line that is right is read with its own alone. What is wrong is told,
// and help given, with all of them.
func (a *app) parse(args []string) (g *grammar, kctx *kong.Context, exited int, err error) {
	g = &grammar{}
	if own, found := ownGrammar(args); found {
		kctx, exited, err = a.parseBy(own.Interface(), args)
		if exited >= 0 { // it has printed the help
			return g, kctx, exited, err
		}
		if err == nil {
			for field, value := range own.Elem().Fields() {
				reflect.ValueOf(g).Elem().FieldByName(field.Name).Set(value)
			}
			return g, kctx, exited, nil
		}
	}
	kctx, exited, err = a.parseBy(g, args)
	return g, kctx, exited, err
}

// ownGrammar is a pointer to a grammar that has of all commands only the one that a line
// begins with. found is false where there is none, or the line asks for help.
func ownGrammar(args []string) (own reflect.Value, found bool) {
	if len(args) == 0 || slices.Contains(args, "--help") || slices.Contains(args, "-h") {
		return own, false
	}
	name := strings.ReplaceAll(args[0], "-", "") // whether it is written right kong will say
	var fields []reflect.StructField
	for field := range reflect.TypeFor[grammar]().Fields() {
		if _, command := field.Tag.Lookup("cmd"); command {
			if !strings.EqualFold(field.Name, name) {
				continue
			}
			found = true
		}
		fields = append(fields, field)
	}
	if !found {
		return own, false
	}
	return reflect.New(reflect.StructOf(fields)), true
}

// parseBy parses a line by a grammar, a pointer to its struct.
func (a *app) parseBy(g any, args []string) (kctx *kong.Context, exited int, err error) {
	exited = -1
	parser, err := kong.New(g,
		kong.Name("kamal-op"),
		kong.Description(description),
		kong.Writers(a.Stdout, a.Stderr),
		kong.Exit(func(status int) { exited = status; panic(exitStatus(status)) }),
		kong.Resolvers(a.lookup),
		kong.Help(a.help),
	)
	if err != nil {
		panic(err) // the grammar is wrong: no user can mend that
	}
	defer func() {
		if r := recover(); r != nil {
			if _, ours := r.(exitStatus); !ours || exited < 0 {
				panic(r)
			}
		}
	}()
	kctx, err = parser.Parse(args)
	var written *fs.PathError // of the help: the line asks for it, and is well
	switch {
	case errors.As(err, &written) && written.Op == "write":
		err = fmt.Errorf("writing the help: %w", written)
	case err != nil:
		err = a.usage(parser, err, args)
	}
	return kctx, exited, err
}
