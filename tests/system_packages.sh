#!/bin/sh
# Install the Debian packages that some tests use where that is possible, and otherwise name them.
set -eu

missing=""
command -v iptables-save >/dev/null 2>&1 || missing="$missing iptables"
command -v ip >/dev/null 2>&1 || missing="$missing iproute2"
command -v ipset >/dev/null 2>&1 || missing="$missing ipset"
command -v conntrack >/dev/null 2>&1 || missing="$missing conntrack"
command -v nft >/dev/null 2>&1 || missing="$missing nftables"
command -v busybox >/dev/null 2>&1 || missing="$missing busybox"
command -v sshd >/dev/null 2>&1 || missing="$missing openssh-server"
command -v fish >/dev/null 2>&1 || missing="$missing fish"
command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || missing="$missing chromium"
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	# shellcheck disable=SC2086 # a list of words
	if { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >/dev/null 2>&1; then
		exit 0
	fi
fi
echo "Not installed:$missing. Skipped for it: tests/kernel (rulesets run in the real kernel), and tests/collect/test_node_script* (a node's script in other shells), tests/collect/test_ssh.py (a login at a node), tests/cli/test_completion.py (completion in fish), tests/report/browser (the page in a browser)."
