# bash completion for sallyport(8)

# Words for the current one, in cur; prev is the one before.
_sallyport_words() {
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_sallyport_ports() {
	case $prev in
	--topology)
		_sallyport_words "single-nat single-public scaled-dns-nat
		    scaled-dns-public scaled-hlb"
		;;
	--side) _sallyport_words "external internal" ;;
	--table) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	--feature)
		_sallyport_words "xmpp lync-xmpp edge remote-access
		    sip-federation pic pic-av web-conferencing av av-ocs2007
		    replication logging"
		;;
	*)
		_sallyport_words "--topology --side --feature --csv --json
		    --markdown --table --help"
		;;
	esac
}

_sallyport_firewall() {
	local verb=${COMP_WORDS[i + 1]}

	case $prev in
	--site | --table | --diagram)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	--side) _sallyport_words "external internal" ;;
	--format)
		_sallyport_words "nftables iptables ip6tables firewalld windows
		    asa paloalto junos request json"
		;;
	firewall) _sallyport_words "plan verify" ;;
	*)
		if [[ $verb == plan ]]; then
			_sallyport_words "--site --format --side --nat
			    --diagram --table --help"
		else
			_sallyport_words "--site --from --timeout --resets
			    --all --table --json --help"
		fi
		;;
	esac
# The options that the help of a planning command tells of.
_sallyport_options() {
	"${COMP_WORDS[0]}" "$@" --help 2>/dev/null |
		grep -o -E -- '--[a-z][a-z-]*' | sort -u
}

_sallyport() {
	local cur prev word command="" verb="" verbs="" i
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	case $prev in
	--socket | --config | --key | --out | --trust | --crl | --tlsa | \
	--certificate | --trust-anchor)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--for)
		mapfile -t COMPREPLY < <(compgen -W "external internal sip" \
		    -- "$cur")
		return
		;;
	--key-type)
		mapfile -t COMPREPLY < <(compgen -W "p256 p384 rsa2048 rsa3072
		    rsa4096" -- "$cur")
		return
		;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		[[ $word == --socket ]] && { ((i++)); continue; }
		[[ $word == -* ]] && continue
		if [[ -z $command ]]; then
			command=$word
		else
			verb=$word
			break
		fi
	done
	case $command in
	"")
		mapfile -t COMPREPLY < <(compgen -W "--socket --json --help
		    --version status streams log-level reload drain
		    ports firewall" -- "$cur")
		;;
	ports)
		_sallyport_ports
		;;
	firewall)
		_sallyport_firewall
		    --version status streams log-level reload drain ports
		    firewall dns certs doctor pool" -- "$cur")
		return
		;;
	log-level)
		mapfile -t COMPREPLY < <(compgen -W "error warn info debug" \
		    -- "$cur")
		return
		;;
	dns) verbs="plan check" ;;
	certs) verbs="plan request check" ;;
	pool) verbs="script" ;;
	firewall) verbs="plan verify" ;;
	ports | doctor) ;;
	*) return ;;
	esac
	if [[ -n $verbs && -z $verb ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
		    "$(_sallyport_options "$command" ${verbs:+"$verb"})" \
		    -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _sallyport sallyport
