"""The checks: one file each, in a folder for each station; the folder listing is the catalogue."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from typing import Any

from analyzer.check import Check


@cache
def catalogue() -> tuple[Check, ...]:
    """Return every check, in the order of the stations and then of the slugs.

    A file `checks/<station>/<slug with underscores>.py` defines the check of that name; nothing else
    has to be edited. Raises `TypeError` where a file holds no check of its name.
    """
    found = [_check_in(vars(importlib.import_module(m)), m) for m in _modules()]
    return tuple(sorted(found, key=lambda c: (c.station.order, c.slug)))


def described(slug: str) -> Check | None:
    """Return one check to be read, not run; None where there is none of that slug.

    To import its file is to import most of svcbundle, and takes half a second. Its probe is defined without
    a body instead, and of what the file imports only what the probe's decorator names.
    """
    module = next((m for m in _modules() if _name(m).replace("_", "-") == slug), None)
    return _without_body(module) if module else None


def _modules() -> Iterator[str]:
    for folder in pkgutil.iter_modules(__path__):
        if folder.ispkg:
            for file in pkgutil.iter_modules([f"{__path__[0]}/{folder.name}"]):
                yield f"{__name__}.{folder.name}.{file.name}"


def _name(module: str) -> str:
    return module.rpartition(".")[2]


def _check_in(defined: dict[str, Any], module: str) -> Check:
    found = defined.get(_name(module))
    if not isinstance(found, Check):
        raise TypeError(f"{module} defines no check named {_name(module)}")
    return found


def _without_body(module: str) -> Check:
    path = module.removeprefix(f"{__name__}.").replace(".", "/") + ".py"
    statements = ast.parse(pkgutil.get_data(__name__, path) or b"").body
    probes = [s for s in statements if isinstance(s, ast.FunctionDef) and s.name == _name(module)]
    named: set[str] = set()
    for probe in probes:
        probe.body = probe.body[:1]  # the docstring
        for decorator in probe.decorator_list:
            named |= {node.id for node in ast.walk(decorator) if isinstance(node, ast.Name)}
    imports = [s for s in statements if isinstance(s, ast.ImportFrom)]
    for statement in imports:
        statement.names = [alias for alias in statement.names if alias.name in named]
    kept: list[ast.stmt] = [*(s for s in imports if s.names), *probes]
    defined = {"__name__": module}
    exec(compile(ast.Module(kept, []), path, "exec"), defined)  # noqa: S102 - svcbundle's own file
    return _check_in(defined, module)
