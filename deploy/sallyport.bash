# bash completion for sallyport(8)
_sallyport() {
	local cur prev word command="" i
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	if [[ $prev == --socket ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		[[ $word == --socket ]] && { ((i++)); continue; }
		[[ $word == -* ]] || { command=$word; break; }
	done
	case $command in
	"")
		mapfile -t COMPREPLY < <(compgen -W "--socket --json --help
		    --version status streams log-level reload drain" -- "$cur")
		;;
	log-level)
		mapfile -t COMPREPLY < <(compgen -W "error warn info debug" \
		    -- "$cur")
		;;
	esac
}
complete -F _sallyport sallyport
