"""How much of an input is read before it is taken for an attack. Source: bundle format svcbundle/v1."""

from __future__ import annotations

from dataclasses import dataclass

from analyzer.language import _

MAX_MEMBERS = "--max-members"
MAX_MEMBER_BYTES = "--max-member-bytes"
MAX_TOTAL_BYTES = "--max-total-bytes"
MAX_RATIO = "--max-ratio"
MAX_PATH_LENGTH = "--max-path-length"


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one input, each with the option that raises it."""

    members: int = 100_000
    """Files, directories and links; `--max-members`."""

    member_bytes: int = 2 << 30
    """Size of one file; `--max-member-bytes`."""

    total_bytes: int = 16 << 30
    """Size of the decompressed archive, or of all files of a directory; `--max-total-bytes`."""

    ratio: int = 200
    """Decompressed bytes for each compressed one, beyond the first 64 MiB; `--max-ratio`."""

    path_length: int = 1024
    """Characters of a member's name; `--max-path-length`."""


class LimitExceededError(Exception):
    """Reading an input stops at a limit; the text says at which, and by which option it is raised."""


def exceeded(claim: str, option: str) -> str:
    """Return the reason of a refusal: what is more than a limit allows, and the option that raises it."""
    return _("{claim} ({option} raises the limit)", claim=claim, option=option)
