"""Destinations of routes as CIDR."""

from __future__ import annotations

import ipaddress

_ANY = {4: "0.0.0.0/0", 6: "::/0"}


def cidr_of(destination: str, *, gateway: str, other_family: bool, is_v6: bool) -> str:
    """Return the destination of a route as CIDR; raise ValueError where it is none.

    The family of `default` is that of the gateway, or the other one (`via inet6 …`), or as `is_v6` says where
    there is no gateway.
    """
    if destination != "default":
        return str(ipaddress.ip_network(destination, strict=False))
    if not gateway:
        return _ANY[6 if is_v6 else 4]
    version = ipaddress.ip_address(gateway).version
    return _ANY[10 - version if other_family else version]
