# bash completion for sallyport(8)

# The options that the help of a planning command tells of.
_sallyport_options() {
	"${COMP_WORDS[0]}" "$@" --help 2>/dev/null |
		grep -o -E -- '--[A-Za-z][A-Za-z-]*' | sort -u
}

_sallyport() {
	local cur prev word command="" verb="" verbs="" i
	local -A words=(
		[--for]="external internal sip"
		[--key-type]="p256 p384 rsa2048 rsa3072 rsa4096"
		[--side]="external internal"
		[--state]="idle inviting open"
		[--Rights]="read write"
		[--kind]="partner gateway-config access-edge policy grant"
		[--PartnerType]="Federated PublicVerified PublicUnverified"
		[--SaslNegotiation]="Required Optional NotSupported"
		[--TlsNegotiation]="Required Optional NotSupported"
		[--topology]="single-nat single-public scaled-dns-nat
		    scaled-dns-public scaled-hlb"
	)
	for word in EnableKeepAlive SupportDialbackNegotiation Formatting \
		EnableLoggingAllMessageBodies AllowFederatedUsers \
		EnableArchivingDisclaimer EnableFederationAccess \
		EnableXmppAccess EnablePublicCloudAccess Enabled \
		EnablePublicCloudAudioVideoAccess EnableOutsideAccess; do
		words[--$word]="true false"
	done
	case " ${COMP_WORDS[*]} " in
	*" dns "*) words[--format]="zone powershell json" ;;
	*" firewall "*)
		words[--format]="nftables iptables ip6tables firewalld windows
		    asa paloalto junos request json"
		;;
	esac
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	COMPREPLY=()
	case $prev in
	--socket | --config | --key | --out | --trust | --crl | --tlsa | \
	--certificate | --trust-anchor | --table | --diagram | --token-file | \
	--client-certificate | --client-key | --Instance)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	# pool has a --site, too, which is no file.
	if [[ $prev == --site && " ${COMP_WORDS[*]} " == *" firewall "* ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	if [[ -n ${words[$prev]-} ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${words[$prev]}" -- "$cur")
		return
	fi
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
		    --version status streams contacts log-level reload drain
		    ports firewall dns certs doctor pool events partner
		    gateway-config access-edge site policy provider
		    licence conversations token audit test-im trace import" -- "$cur")
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
	partner | site | licence) verbs="new set get remove" ;;
	gateway-config | access-edge) verbs="get set" ;;
	policy) verbs="new set get remove grant grants effective" ;;
	provider) verbs="list set" ;;
	token) verbs="new list set remove" ;;
	ports | doctor | status | streams | contacts | events | import | audit | test-im | trace | \
	conversations) ;;
	*) return ;;
	esac
	if [[ -n $verbs && -z $verb ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$cur")
	elif [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
		    "$(_sallyport_options "$command" ${verbs:+"$verb"})" \
		    -- "$cur")
	elif [[ $prev != --site ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _sallyport sallyport
