package reference

// CompletionScript is what a shell reads to complete command lines of kamal-op. The
// scripts ask the program; nothing in them knows a command or an option.
func CompletionScript(shell string) string {
	switch shell {
	case "bash":
		return bashScript
	case "zsh":
		return zshScript
	}
	return fishScript
}

const bashScript = `# bash completion for kamal-op: source <(kamal-op completion bash)
_kamal_op() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]#=}"); return ;;
      :directories) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "${COMP_WORDS[COMP_CWORD]#=}"); return ;;
      *) COMPREPLY+=("$line") ;;
    esac
  done < <("${COMP_WORDS[0]}" complete bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _kamal_op kamal-op
`

const zshScript = `#compdef kamal-op
# zsh completion for kamal-op: source <(kamal-op completion zsh), behind compinit
_kamal_op() {
  local line
  local -a names texts
  while IFS= read -r line; do
    case $line in
      :files) compset -P '*='; _files; return ;;
      :directories) compset -P '*='; _files -/; return ;;
    esac
    names+=("${line%%$'\t'*}")
    texts+=("${line/$'\t'/  }")
  done < <("${words[1]}" complete zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  compadd -l -d texts -- "${names[@]}"
}
compdef _kamal_op kamal-op
`

const fishScript = `# fish completion for kamal-op: kamal-op completion fish | source
function __kamal_op_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l lines ($words[1] complete fish -- $words[2..-1] "$last" 2>/dev/null)
    switch "$lines[1]"
        case :files
            __fish_complete_path (string replace -r '^--[^=]*=' '' -- "$last")
        case :directories
            __fish_complete_directories (string replace -r '^--[^=]*=' '' -- "$last")
        case '*'
            printf '%s\n' $lines
    end
end
complete -c kamal-op -f -a '(__kamal_op_complete)'
`
