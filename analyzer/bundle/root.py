"""Which directory of an input is the bundle, and what its links stand for."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import replace

from analyzer.bundle.member import Content
from analyzer.bundle.member_name import shown
from analyzer.bundle.problem import BundleProblem, ProblemKind
from analyzer.bundle.tree import Tree
from analyzer.language import _

MANIFEST = "manifest.json"
SECTIONS = frozenset({"cluster", "nodes", "pods"})
"""The directories of a bundle."""

_DEPTH = 4
"""How many directories may be wrapped around a bundle, as by `tar czf x.tgz /tmp/case-7/svcbundle-x`."""


def rooted(tree: Tree) -> Tree | None:
    """Return the tree with names relative to the bundle's root and links followed; None without a bundle."""
    roots = _roots((*tree.files, *tree.links))
    if not roots:
        return None
    prefix = roots[0]
    files = {
        name.removeprefix(prefix): content
        for name, content in tree.files.items()
        if name.startswith(prefix)
    }
    problems = [
        replace(problem, path=problem.path.removeprefix(shown(prefix))) for problem in tree.problems
    ]
    for other in roots[1:]:
        if not (other.startswith(prefix) or prefix.startswith(other)):
            message = _(
                "another bundle beside {prefix}; give it as an input of its own",
                prefix=prefix or "this one",
            )
            problems.append(_unreadable(tree, other, message))
    followed, refused = _followed(tree, prefix)
    return Tree(tree.source, files | followed, {}, (*problems, *refused), tree.complete)


def _roots(names: Iterable[str]) -> list[str]:
    """Return the directories that look like a bundle, as prefixes (empty or ending in /), the best first."""
    bundles: set[str] = set()
    manifests: set[str] = set()
    for name in names:
        parts = name.split("/", _DEPTH + 2)
        if parts[-1] == MANIFEST:
            manifests.add("".join(f"{part}/" for part in parts[:-1]))
        for index, part in enumerate(parts[:-1]):
            if part in SECTIONS and index <= _DEPTH:
                bundles.add("".join(f"{outer}/" for outer in parts[:index]))
    return sorted(
        bundles or manifests,
        key=lambda prefix: (prefix not in manifests, prefix.count("/"), prefix),
    )


def _followed(tree: Tree, prefix: str) -> tuple[dict[str, Content], list[BundleProblem]]:
    """Return the files that links stand for; a link is followed once, and only to a file of the bundle."""
    files: dict[str, Content] = {}
    problems: list[BundleProblem] = []
    for name, written in tree.links.items():
        if not name.startswith(prefix):
            continue
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), written))
        path = name.removeprefix(prefix)
        if written.startswith("/") or not target.startswith(prefix) or target.startswith("../"):
            message = _("refused: it is a link out of the bundle, to {shown}", shown=shown(written))
            problems.append(BundleProblem(ProblemKind.UNSAFE, tree.source, path, message))
        elif target in tree.links:
            message = _("refused: it is a link to another link, {shown}", shown=shown(written))
            problems.append(BundleProblem(ProblemKind.UNSAFE, tree.source, path, message))
        elif target not in tree.files:
            message = _(
                "it is a link to {shown}, which is no file of the bundle", shown=shown(written)
            )
            problems.append(_unreadable(tree, path, message))
        else:
            files[path] = tree.files[target]
    return files, problems


def _unreadable(tree: Tree, path: str, message: str) -> BundleProblem:
    return BundleProblem(ProblemKind.UNREADABLE, tree.source, shown(path), message)
