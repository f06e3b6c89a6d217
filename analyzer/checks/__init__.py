"""The checks: one file each, in a folder for each station; the folder listing is the catalogue."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from analyzer.check import Check


@cache
def catalogue() -> tuple[Check, ...]:
    """Return every check, in the order of the stations and then of the slugs.

    A file `checks/<station>/<slug with underscores>.py` defines the check of that name; nothing else
    has to be edited. Raises `TypeError` where a file holds no check of its name.
    """
    found = [
        _check_of(f"{__name__}.{folder.name}.{file.name}")
        for folder in pkgutil.iter_modules(__path__)
        if folder.ispkg
        for file in pkgutil.iter_modules([f"{__path__[0]}/{folder.name}"])
    ]
    return tuple(sorted(found, key=lambda c: (c.station.order, c.slug)))


def _check_of(module_name: str) -> Check:
    name = module_name.rpartition(".")[2]
    found = getattr(importlib.import_module(module_name), name, None)
    if not isinstance(found, Check):
        raise TypeError(f"{module_name} defines no check named {name}")
    return found
