"""What kubectl prints instead of the output that was asked for."""

from __future__ import annotations

import re

_ERROR = re.compile(
    r"Error from server\b|Unable to connect to the server|The connection to the server \S+ was refused"
    r"|No resources found|unable to retrieve container logs for |failed to try resolving symlinks in "
    r"|error: (?:You must be logged in|the server doesn't have a resource|no matching resources"
    r"|a container name must be specified|timed out waiting|unable to forward port|context )"
)


def is_kubectl_error(line: str) -> bool:
    """Tell whether a line is a message of kubectl, or of the kubelet behind it, that stands for a failure."""
    return _ERROR.match(line) is not None
