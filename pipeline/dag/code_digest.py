"""Digest of a step's source code, which invalidates TFX's cache when the code changes.

TFX's cache compares inputs and parameters only, so an edited loss would still return the cached model.  Therefore each
step has a parameter with a digest of its source files, which are found by reading import statements.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import components
from pipeline.dag.import_closure import import_closure
from pipeline.dag.steps import StepSpec

_ROOT = Path(components.__file__).parent.parent


def code_digest(step: StepSpec) -> str:
    """Returns a short digest of a step's sources: the import closure of its entry points, and their data files."""
    return _digest(step.entry_points, _ROOT)


def code_files(entry_points: Iterable[str], root: Path) -> list[Path]:
    """Returns the source files in the entry points' import closure, and data files beside them, such as templates."""
    sources = import_closure(entry_points, root)
    data = {path for folder in {source.parent for source in sources} for path in _data_files(folder)}
    return sorted(sources | data)


@functools.lru_cache(maxsize=64)
def _digest(entry_points: tuple[str, ...], root: Path) -> str:
    digest = hashlib.sha256()
    for path in code_files(entry_points, root):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _data_files(package: Path) -> Iterator[Path]:
    """Yields a package's files that are not modules: those beside them, and those in folders that are not packages."""
    for path in package.iterdir():
        if _is_left_by_a_tool(path.name):
            continue
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            yield path
        elif path.is_dir() and not (path / "__init__.py").exists():
            inside = (file for file in path.rglob("*") if file.is_file())
            yield from (f for f in inside if not any(map(_is_left_by_a_tool, f.relative_to(path).parts)))


def _is_left_by_a_tool(name: str) -> bool:
    """Whether a file or folder is created by an editor, Python or a build, and not part of the project."""
    return name.startswith((".", "__pycache__")) or name.endswith(("~", ".egg-info")) or name in ("build", "dist")
