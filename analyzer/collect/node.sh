# Prints what svcbundle reads of a Kubernetes node, as one stream; nothing is changed on the node.
#
#   sh node.sh > node-a.out                      as root on the node; then: svcbundle collect --add node-a.out
#   svcbundle_node=node-a sh node.sh > node-a.out   where the host calls itself otherwise than Kubernetes does
#
# It runs in any POSIX shell and asks only programs that are there. No file is written, no kernel module is
# loaded and no table is created by asking, and every command is ended at a time limit. The stream's form is
# told in node_stream.py. Settings are variables: svcbundle_node, _nonce, _logs, _log_bytes, _since, _limit,
# _total, _connections.
# shellcheck shell=sh disable=SC2329 # functions are handed to send by name

set -u
LC_ALL=C
export LC_ALL
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
newline='
'

main() {
	if ! [ -r /proc/uptime ] || ! [ -r /proc/net/dev ]; then
		echo "node.sh: no /proc of Linux here" >&2
		exit 1
	fi
	if [ "$((2147483647 + 1))" -lt 0 ]; then
		echo "node.sh: this shell counts to 31 bits, as mksh does: take dash, ash, bash or ksh" >&2
		exit 1
	fi
	have iptables-save || have nft || PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
	exec 3>&1 >&2 </dev/null
	trap 'exit 143' HUP INT TERM
	settings
	limit_memory
	allowed=$limit
	printf 'svcbundle-node/v1 %s %s\n' "$nonce" "$node" >&3
	send_rules
	send_settings
	send_network
	send_proxy
	[ "$logs" = no ] || send_logs
	send_connections
	printf '%s done\n' "$nonce" >&3
	exit 0
}

settings() {
	nonce=${svcbundle_nonce:-}
	[ -n "$nonce" ] || read -r nonce </proc/sys/kernel/random/uuid
	node=${svcbundle_node:-}
	[ -n "$node" ] || read -r node </proc/sys/kernel/hostname
	logs=${svcbundle_logs:-yes}
	log_bytes=${svcbundle_log_bytes:-16777216}
	since=${svcbundle_since:-0}
	limit=${svcbundle_limit:-120}
	connections=${svcbundle_connections:-}
	boot=$(grep '^btime ' /proc/stat)
	boot=$((${boot#btime } * 1000))
	clock
	deadline=$((now + ${svcbundle_total:-600} * 1000))
	host=
	[ ! -d /host/proc ] || [ ! -d /host/etc ] || host=/host # kubectl debug node/...
}

# Let no program take more than three quarters of the free memory: nft needs 850 MB for 100,000 rules, and a
# container that goes over its limit may lose kube-proxy. The program says that it got no memory, then.
limit_memory() {
	free=$(grep '^MemAvailable:' /proc/meminfo)
	free=${free#*:}
	free=${free%kB}
	free=$((${free:-0} + 0))
	for group in /sys/fs/cgroup/memory.max:memory.current \
		/sys/fs/cgroup/memory/memory.limit_in_bytes:memory.usage_in_bytes; do
		[ -r "${group%%:*}" ] || continue
		read -r most <"${group%%:*}"
		case $most in
		*[!0-9]* | ???????????????*) continue ;; # no limit
		esac
		read -r used <"${group%/*}/${group#*:}"
		[ "$free" -lt "$(((most - used) / 1024))" ] || free=$(((most - used) / 1024))
	done
	[ "$free" -gt 131072 ] || free=131072
	# shellcheck disable=SC3045 # dash, ash, bash and ksh know -v; where it is not known there is no limit
	ulimit -v "$((free * 3 / 4))" 2>/dev/null
}

have() {
	command -v "$1" >/dev/null 2>&1
}

# --- the stream ---

# send FILE COMMAND...: what the command prints is the file. Status 75 says that it was cut on purpose.
send() {
	file=$1
	shift
	clock
	allowed=$(((deadline - now) / 1000))
	if [ "$allowed" -lt 1 ]; then
		lack failed "$file" "$*" "the time for this node was over"
		return
	fi
	[ "$allowed" -le "$limit" ] || allowed=$limit
	started=$now
	printf '%s file %s %s %s\n' "$nonce" "$file" "$((boot + started))" "${shown:-$*}" >&3
	said=$({
		limited "$@" 2>&1 >&3 3>&-
		printf '\n%s %s\n' "$nonce" "$?"
	} | complaint)
	status=${said##*"$newline"}
	said=${said%"$status"}
	cut=0
	[ "$status" != 75 ] || { status=0 cut=1; }
	clock
	printf '\n%s stderr %s %s %s\n' "$nonce" "${status:-1}" "$((now - started))" "$cut" >&3
	printf '%s\n%s end\n' "$said" "$nonce" >&3
}

# show COMMAND FILE FUNCTION...: send, where the function stands for a command that one would type.
show() {
	shown=$1
	shift
	send "$@"
	shown=
}

# lack absent|unavailable|failed FILE COMMAND REASON: the file does not come.
lack() {
	printf '%s %s %s\t%s\t%s\n' "$nonce" "$1" "$2" "$3" "$4" >&3
}

# Print the first lines of what comes, and at last the status that follows it; do not wait for the end.
complaint() {
	count=0
	while IFS= read -r line; do
		case $line in
		"$nonce "*)
			printf '%s' "${line#"$nonce "}"
			return
			;;
		esac
		count=$((count + 1))
		[ "$count" -gt 50 ] || printf '%s\n' "$line"
	done
}

# Set `now` to the milliseconds since the system's start.
clock() {
	read -r now _ </proc/uptime
	now=$((${now%.*} * 1000 + (1${now#*.} - 100) * 10))
}

# --- time limits ---

# limited COMMAND...: end it, with all that it started, after `allowed` seconds; the status is 124 then.
# To be called in a subshell: it sets traps.
limited() {
	"$@" &
	command=$!
	watch "$command" >/dev/null 2>&1 &
	watch=$!
	trap 'end_family "$command" 2>/dev/null; kill "$watch"; wait; exit 143' HUP INT TERM
	wait "$command"
	status=$?
	kill "$watch" 2>/dev/null
	wait "$watch" 2>/dev/null
	[ "$?" -ne 124 ] || [ "$status" -eq 0 ] || status=124
	return "$status"
}

# watch PROCESS: wait for `allowed` seconds or for a signal; without a signal end the process.
watch() {
	over=
	nap=
	# KILL: a shell that was just forked to become sleep would swallow TERM, as it has this trap still.
	trap 'over=yes; [ -z "$nap" ] || kill -KILL "$nap"' HUP INT TERM
	sleep "$allowed" &
	nap=$!
	[ -z "$over" ] || kill -KILL "$nap"
	wait "$nap"
	if [ -n "$over" ]; then
		wait "$nap" # a signal ends a wait, not what it waits for
		exit 0
	fi
	trap '' HUP INT TERM
	end_family "$1"
	exit 124
}

# end_family PROCESS: end a process and all that it started, directly or not: what is left of it would write
# into other files of the stream.
end_family() {
	family=" $1 "
	grown=yes
	while [ -n "$grown" ]; do
		grown=
		for stat in /proc/[0-9]*/stat; do
			read -r line <"$stat" || continue
			process=${line%% *}
			line=${line##*\) ? }
			case $family in
			*" $process "*) ;;
			*" ${line%% *} "*) family="$family$process " grown=yes ;;
			esac
		done
	done
	for process in $family; do
		kill -KILL "$process"
	done
}

# --- what the kernel has ---

# kernel_has MODULE SYMBOL: true where asking for it loads nothing: it is there, or nothing can be loaded.
kernel_has() {
	if [ -d "/sys/module/$1" ] || ! [ -e /proc/modules ]; then
		return 0
	fi
	grep -q "^$1 " /proc/modules && return 0
	read -r release </proc/sys/kernel/osrelease
	grep -q "/$1\.ko" "$host/lib/modules/$release/modules.builtin" 2>/dev/null && return 0
	grep -q "$2" /proc/kallsyms 2>/dev/null
}

# ask MODULE SYMBOL FILE COMMAND...: send what a command says that would load a module where it is not there.
ask() {
	module=$1
	symbol=$2
	asked=$3
	shift 3
	if ! have "$1"; then
		lack unavailable "$asked" "$*" "no $1 here"
	elif kernel_has "$module" "$symbol"; then
		send "$asked" "$@"
	else
		lack absent "$asked" "$*" "the kernel module $module is not loaded; asking would load it"
	fi
}

# --- rules ---

send_rules() {
	variant=
	if ! have iptables; then
		lack unavailable iptables-version.txt 'iptables --version' 'no iptables here'
	elif kernel_has nfnetlink nfnetlink_rcv; then
		send iptables-version.txt iptables --version
		variant=$(limited iptables --version 2>/dev/null 3>&-)
	else
		lack unavailable iptables-version.txt 'iptables --version' \
			'the kernel module nfnetlink is not loaded; asking may load it'
	fi
	send_family iptables /proc/net/ip_tables_names
	send_family ip6tables /proc/net/ip6_tables_names
	ask nf_tables nf_tables_newtable nft-ruleset.json nft -j list ruleset
	ask ip_set ip_set_create ipset-save.txt ipset save
	if ! [ -e /proc/net/ip_vs ]; then
		lack absent ipvsadm-save.txt 'ipvsadm-save -n' 'the kernel has no IPVS (no /proc/net/ip_vs)'
	else
		ask ip_vs ip_vs_ ipvsadm-save.txt ipvsadm-save -n
	fi
}

# send_family PROGRAM NAMES: the rules of the program's own backend, and those of the other one by its name.
send_family() {
	case $variant in
	*nf_tables*)
		ask nf_tables nf_tables_newtable "$1-save.txt" "$1-save" -c
		send_legacy "$1-legacy-save" "$2"
		;;
	'iptables v'*)
		send_plain "$1-save" "$2"
		send_nft "$1-nft-save"
		;;
	*)
		have "$1-legacy-save" || have "$1-nft-save" ||
			lack unavailable "$1-save.txt" "$1-save -c" "no $1 here that tells its backend"
		send_legacy "$1-legacy-save" "$2"
		send_nft "$1-nft-save"
		;;
	esac
}

send_plain() {
	if ! have "$1"; then
		lack unavailable "$1.txt" "$1 -c" "no $1 here"
	elif [ -e "$2" ]; then
		send "$1.txt" "$1" -c
	else
		lack absent "$1.txt" "$1 -c" "no legacy table exists (no $2)"
	fi
}

send_nft() {
	! have "$1" || ask nf_tables nf_tables_newtable "$1.txt" "$1" -c
}

# send_legacy PROGRAM NAMES: a legacy program creates no table that is there already.
send_legacy() {
	have "$1" || return 0
	name=
	[ ! -e "$2" ] || read -r name <"$2"
	if [ -n "$name" ]; then
		send "$1.txt" "$1" -c
	elif [ -e "$2" ] && ! [ -r "$2" ]; then
		lack unavailable "$1.txt" "$1 -c" "$2 cannot be read: not root"
	else
		lack absent "$1.txt" "$1 -c" "no legacy table exists ($2 names none)"
	fi
}

# --- settings of the kernel ---

send_settings() {
	show 'cat /proc/sys/net/...' sysctl.txt print_sysctls
	if own_sysfs; then
		show 'grep -H . /sys/devices/virtual/net/*/brif/*/hairpin_mode' hairpin.txt print_hairpin
	else
		lack unavailable hairpin.txt 'grep -H . /sys/devices/virtual/net/*/brif/*/hairpin_mode' \
			'/sys does not show the interfaces of this network namespace'
	fi
}

# grep reads them: dash reads byte by byte, and the kernel gives no second byte of a setting.
print_sysctls() {
	grep -s -H '' \
		/proc/sys/net/ipv4/ip_forward \
		/proc/sys/net/ipv4/conf/*/rp_filter \
		/proc/sys/net/ipv4/conf/*/route_localnet \
		/proc/sys/net/ipv6/conf/all/forwarding \
		/proc/sys/net/bridge/bridge-nf-call-iptables \
		/proc/sys/net/bridge/bridge-nf-call-ip6tables \
		/proc/sys/net/netfilter/nf_conntrack_max \
		/proc/sys/net/netfilter/nf_conntrack_count \
		/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal \
		/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established \
		/proc/sys/net/ipv4/vs/* |
		while IFS=: read -r setting value; do
			print_dotted "${setting#/proc/sys/}"
			printf ' = %s\n' "$value"
		done
}

# Print a path as sysctl does: slashes are dots, and a dot in an interface's name is a slash.
print_dotted() {
	rest=$1/
	dot=
	while [ -n "$rest" ]; do
		part=${rest%%/*}
		rest=${rest#*/}
		printf '%s' "$dot"
		while [ "$part" != "${part#*.}" ]; do
			printf '%s/' "${part%%.*}"
			part=${part#*.}
		done
		printf '%s' "$part"
		dot=.
	done
}

# True where /sys shows the network namespace that this runs in: it may be another's (unshare, some pods).
own_sysfs() {
	[ -d /sys/class/net/lo ] || return 1
	while IFS=' :' read -r name _; do
		case $name in
		Inter-\|* | face | '') ;;
		*) [ -d "/sys/class/net/$name" ] || return 1 ;;
		esac
	done </proc/net/dev
	for name in /sys/class/net/*/ifindex; do
		name=${name%/ifindex}
		grep -q "^ *${name##*/}:" /proc/net/dev || return 1
	done
}

print_hairpin() {
	grep -s -H . /sys/devices/virtual/net/*/brif/*/hairpin_mode
	return 0 # no bridge has a port: that is an answer
}

# --- addresses, links, routes, sockets ---

send_network() {
	byte_order=little
	[ ! -r /sys/kernel/cpu_byteorder ] || read -r byte_order </sys/kernel/cpu_byteorder
	! grep -q '^vendor_id *: IBM/S390' /proc/cpuinfo || byte_order=big
	if ! have ip; then
		send_network_by_proc
	elif (limited ip -j link show dev lo >/dev/null 2>&1 3>&-); then
		send ip-addr.json ip -j addr
		send ip-link.json ip -j -d link
		send ip-route.json ip -j route show table all
		send ip-rule.txt ip rule
	else
		send ip-addr.txt ip addr
		if (limited ip -d link show dev lo >/dev/null 2>&1 3>&-); then
			send ip-link.txt ip -d link
		else
			send ip-link.txt ip link
		fi
		send ip-route.txt ip route show table all
		send ip-rule.txt ip rule
	fi
	if have ss && kernel_has tcp_diag tcp_diag_dump && kernel_has udp_diag udp_diag_dump; then
		send sockets.txt ss -lntu
	else
		show 'cat /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6' sockets.txt print_sockets
	fi
	if ! [ -r "$host/etc/resolv.conf" ]; then
		lack unavailable resolv.conf "cat $host/etc/resolv.conf" 'it cannot be read'
	elif [ -z "$host" ] && grep -q ' /etc/resolv.conf ' /proc/self/mountinfo &&
		grep -q '^search.*[[:blank:]]svc\.' /etc/resolv.conf; then
		lack unavailable resolv.conf 'cat /etc/resolv.conf' \
			'here is that of a pod with dnsPolicy ClusterFirstWithHostNet, not that of the node'
	else # a pod on the network of its host is given the node's
		send resolv.conf cat "$host/etc/resolv.conf"
	fi
}

# What of it /proc and /sys tell, in the form that ip prints.
send_network_by_proc() {
	show 'cat /proc/net/route /proc/net/fib_trie /proc/net/if_inet6' ip-addr.txt print_addresses
	if own_sysfs; then
		show 'cat /sys/class/net/*/uevent' ip-link.txt print_links
	else
		lack unavailable ip-link.json 'ip -j -d link' 'no ip here, and /sys shows another network namespace'
	fi
	show 'cat /proc/net/route /proc/net/fib_trie /proc/net/ipv6_route' ip-route.txt print_routes
	lack unavailable ip-rule.txt 'ip rule' 'no ip here'
}

# Print addresses as `ip -o addr` does. Of an IPv4 address the kernel tells here that it is the host's, but not the
# interface: that is the one whose subnet it lies in. Where there is none, or more than one, the address is left out
# (status 75).
print_addresses() {
	subnets=$(grep '	00000000	0001	' /proc/net/route)
	local_addresses | {
		left_out=0
		while read -r address length; do
			case $address/$length in
			127.*/32) echo "1: lo    inet $address/8 scope host lo" ;;
			127.*) ;;
			*/32) print_address "$address" || left_out=1 ;;
			esac
		done
		[ "$left_out" -eq 0 ]
	}
	status=$?
	[ ! -r /proc/net/if_inet6 ] || while read -r address index length _ _ device; do
		v6_text "$address"
		printf '%s: %s    inet6 %s/%s\n' "$((0x$index))" "$device" "$text" "$((0x$length))"
	done </proc/net/if_inet6
	[ "$status" -eq 0 ] || return 75
}

# print_address ADDRESS: with the interface that has the longest prefix around it; false where that is not known.
print_address() {
	split_dotted "$1"
	number=$(((a << 24) + (b << 16) + (c << 8) + d))
	printf '%s\n' "$subnets" | {
		best=0
		owner=
		while read -r device destination _ _ _ _ _ mask _; do
			[ -n "$mask" ] || continue
			hex_number "$mask"
			mask=$hex
			hex_number "$destination"
			if [ "$((number & mask))" -ne "$hex" ] || [ "$mask" -lt "$best" ] || [ "$mask" -eq 4294967295 ]; then
				continue
			fi
			[ "$mask" -gt "$best" ] || [ "$owner" = "$device" ] || device= # two say that it is theirs
			best=$mask
			owner=$device
		done
		[ -n "$owner" ] || return 1
		mask_length "$best"
		printf '1: %s    inet %s/%s\n' "$owner" "$1" "$bits"
	}
}

# Print what the table `local` holds as the host's own: address and prefix length.
local_addresses() {
	table=
	while read -r first second third _; do
		case $first in
		*:) table=$first ;;
		'|--') address=$second ;;
		/*) [ "$table$third" != Local:LOCAL ] || echo "$address ${first#/}" ;;
		esac
	done </proc/net/fib_trie
}

# Print interfaces as `ip -d link` does. What ip calls kind is known of those that say it in their uevent.
print_links() {
	for device in /sys/class/net/*/ifindex; do
		device=${device%/ifindex}
		name=${device##*/}
		read -r index <"$device/ifindex"
		read -r flags <"$device/flags"
		read -r mtu <"$device/mtu"
		read -r state <"$device/operstate"
		read -r address <"$device/address"
		kind=$(grep -s '^DEVTYPE=' "$device/uevent")
		master=$(grep -s '^INTERFACE=' "$device/master/uevent")
		printf '%s: %s: <' "$index" "$name"
		print_flags
		printf '> mtu %s%s state %s\n' "$mtu" "${master:+ master ${master#*=}}" "$state"
		printf '    link/ether %s promiscuity %s\n' "$address" "$((flags >> 8 & 1))"
		[ -z "$kind" ] || printf '    %s\n' "${kind#*=}"
		hairpin=
		[ ! -r "$device/brport/hairpin_mode" ] || read -r hairpin <"$device/brport/hairpin_mode"
		case $hairpin in
		0) echo '    bridge_slave hairpin off' ;;
		1) echo '    bridge_slave hairpin on' ;;
		esac
	done
}

# The kernel marks each port of a bridge as promiscuous here; ip says it only of what was set so.
print_flags() {
	separator=
	[ -z "$master" ] || flags=$((flags & ~0x100))
	for flag in 0x1:UP 0x2:BROADCAST 0x8:LOOPBACK 0x10:POINTOPOINT 0x80:NOARP 0x100:PROMISC 0x1000:MULTICAST; do
		if [ "$((flags & ${flag%:*}))" -ne 0 ]; then
			printf '%s%s' "$separator" "${flag#*:}"
			separator=,
		fi
	done
	[ "$state" != up ] || printf '%sLOWER_UP' "$separator"
}

# Print routes as `ip route show table all` does. /proc/net/route has the table main, and of a route over several
# hops the first; fib_trie has the names of other tables, whose routes are then not here (status 75).
print_routes() {
	while read -r device destination gateway flags _ _ metric mask _; do
		[ "$device" != Iface ] || continue
		if [ "$((0x$flags & 0x200))" -ne 0 ]; then
			printf 'unreachable ' # RTF_REJECT
		elif [ "$device" = \* ]; then
			printf 'blackhole '
		fi
		hex_number "$mask"
		mask_length "$hex"
		v4_text "$destination"
		print_destination "$text" "$bits"
		v4_text "$gateway"
		[ "$text" = 0.0.0.0 ] || printf ' via %s' "$text"
		[ "$device" = \* ] || printf ' dev %s' "$device"
		[ "$metric" = 0 ] || printf ' metric %s' "$metric"
		echo
	done </proc/net/route
	local_addresses | while read -r address length; do
		printf 'local '
		print_destination "$address" "$length"
		echo ' table local'
	done
	[ ! -r /proc/net/ipv6_route ] || while read -r destination length _ _ gateway metric _ _ flags device; do
		print_v6_route
	done </proc/net/ipv6_route
	echo 'of an IPv4 route over several hops the kernel tells only the first here' >&2
	! grep -q '^Id ' /proc/net/fib_trie || return 75
}

print_v6_route() {
	flags=$((0x$flags))
	table=' table local'
	# RTF_CACHE is only remembered; a metric of all ones stands at the end of a table.
	if [ "$((flags & 0x1000000))" -ne 0 ] || [ "$metric" = ffffffff ]; then
		return
	elif [ "$((flags & 0x80000000))" -ne 0 ]; then
		printf 'local '
	elif [ "$((flags & 0x100000))" -ne 0 ]; then
		printf 'anycast '
	elif [ "$destination/$length" = ff000000000000000000000000000000/08 ]; then
		printf 'multicast '
	else
		table=
		[ "$((flags & 0x200))" -eq 0 ] || printf 'unreachable '
	fi
	v6_text "$destination"
	print_destination "$text" "$((0x$length))"
	v6_text "$gateway"
	[ "$text" = :: ] || printf ' via %s' "$text"
	printf ' dev %s%s metric %s pref medium\n' "$device" "$table" "$((0x$metric))"
}

# print_destination ADDRESS LENGTH
print_destination() {
	case $1/$2 in
	*/0) printf 'default' ;;
	*.*/32 | *:*/128) printf '%s' "$1" ;;
	*) printf '%s/%s' "$1" "$2" ;;
	esac
}

# Print what listens as `netstat -lntu` does.
print_sockets() {
	echo 'Proto Recv-Q Send-Q Local Address           Foreign Address         State'
	print_listeners tcp 0A '0.0.0.0:*' LISTEN
	print_listeners tcp6 0A ':::*' LISTEN
	print_listeners udp 07 '0.0.0.0:*' ''
	print_listeners udp6 07 ':::*' ''
}

# print_listeners PROTOCOL STATE PEER WORD: those of a protocol that are in this state.
print_listeners() {
	[ -r "/proc/net/$1" ] || return 0
	grep -i "^ *[0-9]*: [0-9A-F]*:[0-9A-F]* 0*:0000 $2 " "/proc/net/$1" |
		while read -r _ address _; do
			case $1 in
			*6)
				in_network_order "${address%:*}"
				v6_text "$digits"
				;;
			*) v4_text "${address%:*}" ;;
			esac
			printf '%s 0 0 %s:%s %s %s\n' "$1" "$text" "$((0x${address#*:}))" "$3" "$4"
		done
}

# --- addresses as the kernel writes them ---

# split WORD: set a, b, c and d to the bytes of eight digits, in the order of the network.
split() {
	a=${1%??????}
	d=${1#??????}
	b=${1#??}
	b=${b%????}
	c=${1#????}
	c=${c%??}
	if [ "$byte_order" != big ]; then
		set -- "$d" "$c" "$b" "$a"
		a=$1 b=$2 c=$3 d=$4
	fi
}

# split_dotted ADDRESS: the same of 10.0.0.1.
split_dotted() {
	a=${1%%.*}
	d=${1##*.}
	c=${1%.*}
	c=${c##*.}
	b=${1#*.}
	b=${b%%.*}
}

# hex_number WORD: set `hex` to the number that an address is.
hex_number() {
	split "$1"
	hex=$((0x$a$b$c$d))
}

# mask_length NUMBER: set `bits` to how many of its first bits are set.
mask_length() {
	bits=0
	rest=$(($1 & 4294967295))
	while [ "$rest" -ne 0 ]; do
		bits=$((bits + 1))
		rest=$((rest << 1 & 4294967295))
	done
}

# v4_text WORD: set `text` to the address.
v4_text() {
	split "$1"
	text=$((0x$a)).$((0x$b)).$((0x$c)).$((0x$d))
}

# in_network_order WORDS: set `digits` to the 32 digits of four numbers.
in_network_order() {
	rest=$1
	digits=
	while [ -n "$rest" ]; do
		split "${rest%"${rest#????????}"}"
		rest=${rest#????????}
		digits=$digits$a$b$c$d
	done
}

# v6_text DIGITS: set `text` to the address of 32 digits in the order of the network.
v6_text() {
	rest=$1
	text=:
	while [ -n "$rest" ]; do
		part=${rest%"${rest#????}"}
		rest=${rest#????}
		part=${part#0}
		part=${part#0}
		text=$text${part#0}:
	done
	for zeros in :0:0:0:0:0:0:0:0: :0:0:0:0:0:0:0: :0:0:0:0:0:0: :0:0:0:0:0: :0:0:0:0: :0:0:0: :0:0:; do
		case $text in *"$zeros"*)
			text=${text%%"$zeros"*}::${text#*"$zeros"}
			break
			;;
		esac
	done
	case $text in ::*) ;; *) text=${text#:} ;; esac
	case $text in *::) ;; *) text=${text%:} ;; esac
	case $text in ::[Ff][Ff][Ff][Ff]:*:*)
		rest=${1#????????????????????????}
		[ "$byte_order" = big ] || reverse "$rest"
		v4_text "$rest"
		text=::ffff:$text
		;;
	esac
}

# reverse WORD: set `rest` to its bytes the other way round.
reverse() {
	split "$1"
	rest=$a$b$c$d
}

# --- kube-proxy and kubelet ---

send_proxy() {
	proxy=
	components=
	for comm in /proc/[0-9]*/comm; do
		read -r name <"$comm" || continue
		case $name in
		kube-proxy* | kubelet* | k3s* | kubelite* | hyperkube* | openshift-sdn*)
			process=${comm#/proc/}
			components="$components ${process%/comm}"
			;;
		esac
		case $name in kube-proxy*) [ -n "$proxy" ] || proxy=${process%/comm} ;; esac
	done 2>/dev/null
	name=
	[ ! -r /proc/2/comm ] || read -r name </proc/2/comm
	if [ -n "$proxy" ] || [ "$name" = kthreadd ]; then
		show 'ps -eo pid,stat,args' processes.txt print_processes
	else
		lack unavailable processes.txt 'ps -eo pid,stat,args' \
			"only the processes of this container can be seen, and kube-proxy is none of them"
	fi
	send_proxy_config
	send_answer kube-proxy-mode.txt "$(proxy_address metrics 10249)/proxyMode"
	send_answer kube-proxy-healthz.json "$(proxy_address healthz 10256)/healthz"
	send_answer kube-proxy-configz.json "$(proxy_address metrics 10249)/configz"
}

print_processes() {
	echo '  PID STAT COMMAND'
	for process in $components; do
		read -r state <"/proc/$process/stat" || continue
		state=${state##*\) }
		text=$(words_of "$process" | without_secrets)
		[ -z "$text" ] || printf '%5s %s%s\n' "$process" "${state%% *}" "$text"
	done
}

# words_of PROCESS: the words of its command line, one a line.
words_of() {
	if have tr; then
		tr '\n\000' ' \n' <"/proc/$1/cmdline"
	else
		grep -a -o '[^[:cntrl:]]*' "/proc/$1/cmdline"
	fi
}

# Print words with a blank before each; what an option that holds a secret is given is only counted.
without_secrets() {
	secret=
	while IFS= read -r word || [ -n "$word" ]; do
		case $secret:$word in
		*:-*) secret= ;;
		follows:*)
			printf ' <removed %s bytes>' "${#word}"
			secret=removed
			;;
		esac
		[ -z "$secret" ] || continue
		case $word in
		-*-arg=*) print_pair "${word%%=*}=" "${word#*=}" ;; # k3s: --kubelet-arg=NAME=VALUE
		*=*) print_pair '' "$word" ;;
		-*)
			print_word "$word"
			! names_secret "$word" || secret=follows
			;;
		*) print_word "$word" ;;
		esac
	done
}

# print_pair PREFIX NAME=VALUE
print_pair() {
	if names_secret "${2%%=*}"; then
		value=${2#*=}
		printf ' %s%s=<removed %s bytes>' "$1" "${2%%=*}" "${#value}"
		secret=removed # what a line feed or a tab took apart
	else
		print_word "$1$2"
	fi
}

names_secret() {
	case $1 in
	*-file | *-dir | *-path | *-config | *secrets-encryption*) return 1 ;;
	*token | *passw* | *secret* | *access-key* | *api-key* | *apikey* | *vpn-auth | *datastore-endpoint | *credential*) ;;
	*) return 1 ;;
	esac
}

# print_word WORD: without user and password where it is an address that holds them.
print_word() {
	case $1 in
	*://*@*)
		rest=${1#*://}
		login=${rest%@*}
		printf ' %s://<removed %s bytes>@%s' "${1%%://*}" "${#login}" "${rest##*@}"
		;;
	*) printf ' %s' "$1" ;;
	esac
}

# option NAME: what kube-proxy was given for an option on its command line.
option() {
	[ -n "$proxy" ] || return 0
	words_of "$proxy" 2>/dev/null | {
		follows=
		value=
		while IFS= read -r word || [ -n "$word" ]; do
			[ -z "$follows" ] || value=$word
			follows=
			case $word in
			"--$1="* | "-$1="*) value=${word#*=} ;;
			"--$1" | "-$1") follows=yes ;;
			esac
		done
		printf '%s' "$value"
	}
}

# Set `config` to where kube-proxy's configuration file can be read; empty where it cannot.
find_config() {
	config=
	name=$(option config)
	case $name in
	'' | *[!A-Za-z0-9._/-]*) return 0 ;;
	/*) set -- "/proc/$proxy/root$name" "$host$name" ;;
	*) set -- "/proc/$proxy/cwd/$name" ;;
	esac
	for config in "$@"; do
		# A process may call itself anything and name any file: only what is such a configuration is sent.
		grep -q '^kind: *["'\'']*KubeProxyConfiguration' "$config" 2>/dev/null && return 0
	done
	config=
}

send_proxy_config() {
	find_config
	if [ -n "$config" ]; then
		send kube-proxy-config.yaml cat "$config"
	elif [ -z "$proxy" ]; then
		lack unavailable kube-proxy-config.yaml 'cat /var/lib/kube-proxy/config.conf' 'no process of kube-proxy to be seen'
	elif [ -z "$(option config)" ]; then
		lack absent kube-proxy-config.yaml 'cat /var/lib/kube-proxy/config.conf' 'kube-proxy runs without --config'
	else
		lack unavailable kube-proxy-config.yaml 'cat /var/lib/kube-proxy/config.conf' \
			'the file that --config names cannot be read here, or is none of kube-proxy'
	fi
}

# proxy_address metrics|healthz PORT: where kube-proxy answers on this node.
proxy_address() {
	address=$(option "$1-bind-address")
	if [ -z "$address" ] && [ -n "$config" ]; then
		address=$(grep "^$1BindAddress:" "$config")
		address=${address#*:}
		address=${address#"${address%%[!\"\' ]*}"}
		address=${address%[\"\']}
	fi
	port=$2
	case $address in
	*]:[0-9]* | *.*:[0-9]*) port=${address##*:} address=${address%:*} ;;
	:[0-9]*) port=${address#:} address= ;;
	esac
	case $port in *[!0-9]*) port=$2 ;; esac
	case $address in
	'[::1]' | ::1) address='[::1]' ;;
	*) address=127.0.0.1 ;;
	esac
	printf 'http://%s:%s' "$address" "$port"
}

send_answer() {
	if have curl; then
		send "$1" curl -sS --noproxy '*' --max-time 10 "$2"
	elif have wget; then
		send "$1" wget -q -O - -T 10 "$2"
	else
		lack unavailable "$1" "curl -s $2" 'neither curl nor wget here'
	fi
}

# --- logs ---

send_logs() {
	log=$host/var/log/kube-proxy.log
	highest=-1
	for candidate in "$host"/var/log/pods/kube-system_*kube-proxy*/kube-proxy/*.log; do
		restarts=${candidate##*/}
		restarts=${restarts%.log}
		case $restarts in '' | *[!0-9]*) continue ;; esac
		if [ -r "$candidate" ] && [ "$restarts" -ge "$highest" ]; then
			log=$candidate
			highest=$restarts
		fi
	done
	send_log kube-proxy.log kube-proxy "$log"
	send_log kubelet.log kubelet "$host/var/log/kubelet.log"
}

# send_log FILE UNIT LOG: the end of a log file, or else what the journal has of a unit.
send_log() {
	if [ -f "$3" ] && [ -r "$3" ]; then
		show "tail -c $log_bytes $3" "$1" print_end "$3"
	elif ! have journalctl; then
		lack unavailable "$1" "journalctl --unit $2" "no $3, and no journalctl here"
	elif [ -z "$(limited journalctl --quiet --no-pager --unit "$2" --lines 1 2>/dev/null 3>&-)" ]; then
		lack unavailable "$1" "journalctl --unit $2" "no $3, and nothing of $2 in the journal"
	else
		show "journalctl --unit $2 --output short-iso" "$1" print_journal "$2"
	fi
}

print_journal() {
	set -- --quiet --no-pager --output short-iso --unit "$1"
	[ "$since" -eq 0 ] || set -- "$@" "--since=-${since}s"
	journalctl "$@" | tail -c "$log_bytes"
	return 75 # a journal always begins somewhere
}

# print_end FILE: its last `log_bytes`, from the beginning of a line.
print_end() {
	size=$(wc -c <"$1")
	if [ "$size" -le "$log_bytes" ]; then
		cat "$1"
		return
	fi
	if have tail; then
		tail -c "$log_bytes" "$1" | {
			read -r _
			cat
		}
	else
		print_end_by_lines "$1"
	fi
	return 75
}

# The same without tail: grep passes over lines and leaves the rest of the file to cat.
print_end_by_lines() {
	lines=$(wc -l <"$1")
	skip=$((lines - lines * (log_bytes / 1024) / (size / 1024 + 1)))
	while :; do
		# shellcheck disable=SC2126 # only a grep that prints stops reading behind its last line
		left=$({
			grep -a -m "$skip" '' | wc -l >/dev/null
			wc -c
		} <"$1")
		if [ "$left" -le "$log_bytes" ] || [ "$skip" -ge "$lines" ]; then
			break
		fi
		skip=$((skip + (lines - skip) / 4 + 1))
	done
	# shellcheck disable=SC2126
	{
		grep -a -m "$skip" '' | wc -l >/dev/null
		cat
	} <"$1"
}

# --- connections ---

send_connections() {
	if [ -z "$connections" ]; then
		lack unavailable conntrack.txt 'conntrack -L' 'the addresses of the Services were not given'
	elif have conntrack && kernel_has nf_conntrack_netlink ctnetlink_; then
		show 'conntrack -L' conntrack.txt print_connections conntrack -L
	elif [ -r /proc/net/nf_conntrack ]; then
		show 'cat /proc/net/nf_conntrack' conntrack.txt print_connections cat /proc/net/nf_conntrack
	else
		lack unavailable conntrack.txt 'conntrack -L' 'neither conntrack here nor /proc/net/nf_conntrack'
	fi
}

# print_connections COMMAND...: those of its lines that hold one of the words asked for.
print_connections() {
	"$@" | {
		printf '%s\n' "$connections" | grep -F -f - /proc/self/fd/4
		[ "$?" -le 1 ] # 1: there are none
	} 4<&0
}

main
