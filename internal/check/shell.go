package check

import (
	"strings"

	"github.com/kamal-op/kamal-op/internal/kamal"
	"github.com/kamal-op/kamal-op/internal/problem"
)

// shellProblem says what becomes of a piece of a shell's syntax in a value, and what
// to write in its place.
func shellProblem(d *kamal.Definition, s kamal.Shell) *problem.Problem {
	switch s.Kind {
	case kamal.Expansion:
		arrives := "the rest arrives as it is written"
		if d.Quote == 0 && strings.HasSuffix(s.Text, "#") {
			arrives = "the rest is a comment to it, and the value arrives whole"
		}
		return problem.New(d.Name+" has "+s.Text+"…}, which dotenv does not know: "+arrives,
			"dotenv knows $NAME and ${NAME}; give the variable its value where the command is started, or write the default on a line of its own, above")
	case kamal.Backticks:
		return problem.New(d.Name+" has a command between backticks, which dotenv does not run: it arrives as it is written",
			"write $(command), or single quotes around a value that has backticks")
	case kamal.Quoting:
		return problem.New(d.Name+" has "+s.Text+"…"+s.Text[1:]+", which neither dotenv nor sh knows: another text arrives",
			"write plain quotes; a value of several lines stands between double quotes as it is")
	case kamal.Operator:
		return problem.New(d.Name+" has "+s.Text+" behind its value, which only a shell reads: it arrives with the value",
			"write one definition on a line, and what a shell is to run between the brackets of $(…)")
	case kamal.OpenQuote:
		return problem.New(d.Name+" begins with "+s.Text+" and does not end with it: the quotes arrive with the value",
			"put one pair of quotes around the whole value; what follows it on the line may be a comment, behind a blank and #")
	case kamal.Arithmetic:
		if s.Text == "$[" {
			return problem.New(d.Name+" has $[…], which dotenv does not know: it arrives as it is written", "write $(echo $((…))), or the number")
		}
		return problem.New(d.Name+" has $((…)), which Kamal runs as a command: it is empty",
			"write $(echo $((…))), or the number")
	case kamal.NeverClosed:
		return problem.New(d.Name+" has a $( that is never closed: it arrives as it is written",
			"close it on the same line, or put double quotes around a command that goes over several; single quotes around a value that has $(")
	}
	return shellValueProblem(d, s)
}

// shellValueProblem is the same for what dotenv takes as it is written, or for a
// comment.
func shellValueProblem(d *kamal.Definition, s kamal.Shell) *problem.Problem {
	const asWritten = ": it arrives as it is written"
	switch s.Kind {
	case kamal.Special:
		if strings.HasSuffix(s.Text, "#") && d.Quote == 0 {
			return problem.New(d.Name+" has $#, where a comment begins to dotenv: only the $ arrives", "write the value that is meant; single quotes around one that has these characters")
		}
		return problem.New(d.Name+" has "+s.Text+", which only a shell knows"+asWritten, "write the value that is meant; single quotes around one that has these characters")
	case kamal.HereDocument:
		return problem.New(d.Name+" has "+s.Text+", which only a shell reads: it arrives as it is written, and no line below it belongs to the value", "a value of several lines stands between quotes")
	case kamal.Process:
		return problem.New(d.Name+" has "+s.Text+"…), which only a shell runs"+asWritten, "write $(command); an app that wants a file is given one in another way")
	case kamal.Array:
		return problem.New(d.Name+" is written as an array, which only a shell knows: it arrives with its parentheses", "an environment has no arrays: write one text, in quotes where it has parentheses")
	case kamal.Continuation:
		if d.Quote == '"' {
			return problem.New(d.Name+` has a \ at the end of a line in a command, which dotenv takes off: the next line is a command of its own`, "write the command on one line, or into a script")
		}
		return problem.New(d.Name+` has a \ at the end of its line, which continues none to dotenv: it arrives with the value, and the next line is one of its own`, "write the value on one line, or between double quotes")
	case kamal.Brace:
		return problem.New(d.Name+" has "+s.Text+", and dotenv takes the } for the variable's: it does not arrive", "write ${"+strings.Trim(s.Text, "$}")+"}}")
	case kamal.Expression:
		return problem.New(d.Name+" has ${{ … }}, which GitHub puts in where it runs a workflow and nowhere else"+asWritten, "give the variable its value in the workflow, under env, and write $"+d.Name+" here")
	case kamal.ERB:
		return problem.New(d.Name+" has <%= … %>, which Kamal 2 runs in deploy.yml and in no secrets file"+asWritten, "write $NAME for a variable of the environment, $(command) for what a command gives")
	case kamal.Cut:
		return problem.New(d.Name+" is cut off at #: to dotenv a comment begins there, also in the middle of a word", "put quotes around a value that has #; a blank before a comment tells it from the value")
	case kamal.Home:
		return problem.New(d.Name+" begins with ~, which only a shell replaces"+asWritten, "write $HOME, or the path in the container")
	case kamal.InnerQuotes:
		return problem.New(d.Name+" has "+s.Text+" between its quotes, which only a shell puts together: it arrives as it is written", "dotenv takes off the first quote and the last: write double quotes around a value that has single ones in it")
	case kamal.BashOnly:
		return problem.New(d.Name+" has "+s.Text+" in a command, which bash knows and the sh that runs it need not: where it does not, the value is empty", "write what sh knows, or $(bash -c '…') where bash is")
	case kamal.CutQuote:
		return problem.New(d.Name+" has a command with a quote that does not close: Kamal counts the parentheses between quotes as well, and dotenv takes a backslash off", "put the command into a script, and call that")
	}
	return problem.New(d.Name+" has "+s.Text+", which only a shell reads"+asWritten, "write the value as it is to arrive")
}
