"""A node of a capture as a network namespace: links, addresses, routes, settings and rules, where that can be."""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Iterator
from typing import Any

from tests.collect.api_server.capture import Capture
from tests.kernel.namespaces import Namespace

_PORT = re.compile(r"/net/([^/]+)/brif/([^/]+)/hairpin_mode:([01])")
_ACCOUNT = re.compile(r"--nfacct-name +(\S+)")
_NETFILTER, _NEW_ACCOUNT, _NFACCT_NAME = 12, 7 << 8, 1
_REQUEST, _ACK, _CREATE = 1, 4, 0x400
_ORDER = ("table", "chain", "counter", "set", "map", "flowtable", "rule")
_OF_IPTABLES = {"filter", "nat", "mangle", "raw", "security"}


class Machine:
    """The kernel side of a node."""

    def __init__(self, capture: Capture, node: str, label: str) -> None:
        self.namespace = Namespace(label)
        self._outside = Namespace(f"{label}o")
        self._capture = capture
        self._node = node
        _batch(self.namespace, self._links())
        _batch(self._outside, self._carriers())
        _batch(self.namespace, self._addresses())
        _batch(self.namespace, self._routes())
        self._set_sysctls()
        self._load_rules()

    def tables(self) -> str:
        """Return the legacy tables that the kernel has made in this namespace: looking must not make any."""
        names = ("/proc/net/ip_tables_names", "/proc/net/ip6_tables_names")
        return "".join(self.namespace.run("cat", name) for name in names)

    def close(self) -> None:
        self.namespace.remove()
        self._outside.remove()

    def _text(self, name: str) -> str:
        return (self._capture.node(self._node, name) or b"").decode(errors="replace")

    def _json(self, name: str) -> list[dict[str, Any]]:
        found = json.loads(self._text(name) or "[]")
        return found if isinstance(found, list) else []

    # --- devices ---

    def _links(self) -> Iterator[str]:
        yield "link set lo up"
        ports = _PORT.findall(self._text("hairpin.txt"))
        bridges = dict.fromkeys(bridge for bridge, _, _ in ports)
        names = [link["ifname"].partition("@")[0] for link in self._json("ip-link.json")]
        for bridge in bridges:
            yield f"link add {bridge} type bridge"
        for name in dict.fromkeys([*names, *(port for _, port, _ in ports)]):
            if name != "lo" and name not in bridges:
                yield f"link add {name} type veth peer name {name} netns {self._outside.name}"
        for bridge, port, hairpin in ports:
            yield f"link set {port} master {bridge}"
            yield f"link set {port} type bridge_slave hairpin {'on' if hairpin == '1' else 'off'}"
        for name in (*bridges, *names, *(port for _, port, _ in ports)):
            yield f"link set {name} up"

    def _carriers(self) -> Iterator[str]:
        """Bring up the other ends, without which a link has no carrier."""
        for line in self._links():
            words = line.split()
            if words[:2] == ["link", "add"] and "peer" in words:
                yield f"link set {words[2]} up"

    def _addresses(self) -> Iterator[str]:
        for link in self._json("ip-addr.json"):
            for address in link.get("addr_info", []):
                if "local" in address:
                    yield f"addr add {address['local']}/{address['prefixlen']} dev {link['ifname']}"

    def _routes(self) -> Iterator[str]:
        for route in self._json("ip-route.json"):
            if route.get("table") in {"local", "255"}:
                continue
            way = f"via {route['gateway']} " if "gateway" in route else ""
            yield f"route add {route['dst']} {way}dev {route.get('dev', 'lo')} onlink"

    def _set_sysctls(self) -> None:
        for line in self._text("sysctl.txt").splitlines():
            setting = line.replace(" ", "")
            self.namespace.run("sh", "-c", f"sysctl -qw '{setting}' 2>/dev/null; true")

    # --- rules ---

    def _load_rules(self) -> None:
        sets = self._text("ipset-save.txt")
        if sets:
            self.namespace.run("ipset", "-exist", "restore", text=sets)
        for program in ("iptables", "ip6tables"):
            self._restore(program, self._text(f"{program}-save.txt"), "")
            for flavour in ("legacy", "nft"):
                self._restore(program, self._text(f"{program}-{flavour}-save.txt"), flavour)
        nft = self._nft()
        if nft:
            self.namespace.run("nft", "-j", "-f", "-", text=json.dumps({"nftables": nft}))

    def _restore(self, program: str, saved: str, flavour: str) -> None:
        if "\nCOMMIT" in saved:
            for name in dict.fromkeys(_ACCOUNT.findall(saved)):
                self._add_account(name)
            flavour = flavour or ("nft" if "nf_tables" in saved.partition("\n")[0] else "legacy")
            self.namespace.run(f"{program}-{flavour}-restore", "--counters", text=saved)

    def _add_account(self, name: str) -> None:
        """Make what `nfacct add` makes, without that program (linux/netfilter/nfnetlink_acct.h)."""
        netlink = self.namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        text = name.encode() + b"\0"
        attribute = struct.pack("=HH", len(text) + 4, _NFACCT_NAME) + text
        attribute += b"\0" * (-len(attribute) % 4)
        size = 16 + 4 + len(attribute)
        header = struct.pack("=IHHII", size, _NEW_ACCOUNT, _REQUEST | _ACK | _CREATE, 1, 0)
        netlink.send(header + struct.pack("=BBH", 0, 0, 0) + attribute)
        netlink.close()

    def _nft(self) -> list[Any]:
        """Return the tables that are not those of iptables, without the handles of another kernel."""
        text = self._text("nft-ruleset.json")
        items = json.loads(text)["nftables"] if text else []
        ours = [i for i in items if (self._table_of(i) or "filter") not in _OF_IPTABLES]
        # Elements of a map name chains, which have to be there before.
        return sorted(ours, key=lambda item: _ORDER.index(next(iter(item))))

    def _table_of(self, item: dict[str, Any]) -> str:
        for kind, value in item.items():
            value.pop("handle", None)
            return str(value.get("name" if kind == "table" else "table", ""))
        return ""


def _batch(namespace: Namespace, lines: Iterator[str]) -> None:
    """Do what can be done: a capture names devices and gateways that a namespace cannot have."""
    text = "".join(f"{line}\n" for line in lines)
    namespace.run("sh", "-c", "ip -force -batch - 2>/dev/null; true", text=text)
