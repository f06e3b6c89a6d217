"""What a bundle says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class BundleIdentity:
    """What the bundle says about itself."""

    path: str
    cluster: str
    created_at: datetime | None
    redacted: bool
    verified: bool
    """True when a manifest was there to check the files against."""
