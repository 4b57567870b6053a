"""Import closure: the project's modules that a module imports, directly or not, found by static analysis."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGES = ("common", "components", "pipeline", "registry", "segpipe_client", "serving")
"""The project's own packages; other packages are not followed."""


def import_closure(entry_points: Iterable[str], root: Path) -> set[Path]:
    """Returns the source files that the entry points may run.

    An import counts anywhere: at the top, in a function, or for the type checker only.  So the closure is a superset of
    the loaded modules; it misses only modules that are loaded by name, which must be entry points of their own.

    Args:
        entry_points: Names of modules, such as `components.trainer.run`.
        root: Folder that holds the packages.

    Raises:
        ValueError: an entry point does not exist.
    """
    closure: set[Path] = set()
    waiting: list[Path] = []
    for name in entry_points:
        found = _files_of(name, root)
        if not found:
            raise ValueError(f"{name} is not a module below {root}")
        waiting += found
    while waiting:
        file = waiting.pop()
        if file not in closure:
            closure.add(file)
            waiting += (path for name in _imported(file, root) for path in _files_of(name, root))
    return closure


def imported_modules(file: Path, root: Path) -> set[str]:
    """Returns the names of the project's modules that a source imports directly, anywhere in it."""
    return {name for name in _imported(file, root) if _files_of(name, root)}


@functools.lru_cache(maxsize=4096)
def _files_of(name: str, root: Path) -> tuple[Path, ...]:
    """Returns a module's file and the `__init__` of each enclosing package; empty if it is not the project's."""
    parts = name.split(".")
    if parts[0] not in PACKAGES:
        return ()
    packages = [root.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
    files = tuple(path for path in packages if path.is_file())
    module = root.joinpath(*parts).with_suffix(".py")
    if module.is_file():
        return (*files, module)
    return files if packages[-1].is_file() else ()


def _imported(file: Path, root: Path) -> Iterator[str]:
    """Yields each name that `file` imports; for `from a import b` both `a` and `a.b`, which may be a module."""
    package = ".".join(file.relative_to(root).parent.parts)
    for module, names in _import_statements(file.read_bytes()):
        base = _absolute(module, package)
        yield base
        yield from (f"{base}.{name}" for name in names)


def _absolute(module: str, package: str) -> str:
    """Resolves the leading dots of `module` relative to `package`."""
    name = module.lstrip(".")
    level = len(module) - len(name)
    if not level:
        return name
    parts = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*parts, *([name] if name else [])])


@functools.lru_cache(maxsize=1024)
def _import_statements(source: bytes) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Returns the module and the names of each import statement of a source."""
    statements: list[tuple[str, tuple[str, ...]]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            statements += ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            statements.append(("." * node.level + (node.module or ""), names))
    return tuple(statements)
