"""The text of the package's own files: grammars and templates."""

from __future__ import annotations

from importlib.resources import files


def resource_text(folder: str, name: str) -> str:
    """Return the text of `grammars/<name>` or `templates/<name>`.

    A wheel has the folders inside the package, a checkout beside it. Raises FileNotFoundError where neither has it.
    """
    package = files("analyzer")
    inside = package.joinpath(folder, name)
    if inside.is_file():
        return inside.read_text(encoding="utf-8")
    return package.joinpath("..", folder, name).read_text(encoding="utf-8")
