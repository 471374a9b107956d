"""Measures the product tree: modules, lines, statements, repeated names and import cycles."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("console", "widgets", "themes")


@dataclass(frozen=True)
class Module:
    """One file of the product or of the tests, with what it imports of the product."""

    name: str
    path: Path
    lines: int
    statements: int
    imports: frozenset[str]
    at_top: frozenset[str]

    @property
    def room(self) -> str:
        """The folder it lies in, or its top level."""
        parts = self.name.split(".")
        return ".".join(parts[:2]) if len(parts) > 2 else parts[0]


def read_modules(*tops: str, root: Path = ROOT) -> dict[str, Module]:
    """Return every module that holds code below ``tops``, by dotted name."""
    paths = {
        _dotted(path, root): path
        for top in tops
        for path in sorted((root / top).rglob("*.py"))
        if path.read_text("utf-8").strip()
    }
    known = {_dotted(path, root) for top in TOPS for path in (root / top).rglob("*.py")}
    return {name: _read(name, path, known) for name, path in paths.items()}


def _dotted(path: Path, root: Path) -> str:
    name = ".".join(path.relative_to(root).with_suffix("").parts)
    return name.removesuffix(".__init__")


def _read(name: str, path: Path, known: set[str]) -> Module:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    every = {one for node in ast.walk(tree) for one in _imported(node, known)}
    top = {one for node in tree.body for one in _imported(node, known)}
    statements = sum(isinstance(node, ast.stmt) for node in ast.walk(tree))
    return Module(
        name,
        path,
        len(text.splitlines()),
        statements,
        frozenset(every - {name}),
        frozenset(top - {name}),
    )


def _imported(node: ast.AST, known: set[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names if each.name in known]
    if not isinstance(node, ast.ImportFrom) or node.level or node.module is None:
        return []
    inside = [f"{node.module}.{each.name}" for each in node.names]
    return [one if one in known else node.module for one in inside if node.module in known]


def repeated_names(modules: dict[str, Module]) -> dict[str, list[str]]:
    """Return module names that stand more than once in ``console``, with their places."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in modules:
        if name.startswith("console.") and not name.endswith("__main__"):
            found[name.rpartition(".")[2]].append(name)
    return {name: places for name, places in found.items() if len(places) > 1}


def import_cycles(modules: dict[str, Module]) -> list[list[str]]:
    """Return groups of modules that need each other when they are imported (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in modules[name].at_top & modules.keys():
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in modules:
        if name not in index:
            visit(name)
    return found


def only_tested(product: dict[str, Module], tests: dict[str, Module]) -> list[str]:
    """Return modules that nothing but tests imports: finished work nobody connected, or dead."""
    used = {one for module in product.values() for one in module.imports}
    tested = {one for module in tests.values() for one in module.imports}
    return sorted(name for name in product if name in tested and name not in used)


def by_room(modules: dict[str, Module]) -> dict[str, tuple[int, int, int]]:
    """Return modules, lines and statements of each room."""
    found: Counter[str] = Counter(module.room for module in modules.values())
    return {
        room: (
            count,
            sum(each.lines for each in modules.values() if each.room == room),
            sum(each.statements for each in modules.values() if each.room == room),
        )
        for room, count in sorted(found.items())
    }
