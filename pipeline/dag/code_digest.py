"""Digest of a step's source code, which invalidates TFX's cache when the code changes.

TFX's cache looks at inputs and parameters alone, so that an edited loss would go on giving yesterday's model.  So each
step takes a digest of the sources that it runs as a parameter.  Which these are is read from the import statements.
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
    """A short digest of all sources that a step runs: the import closure of its entry points, and their data files."""
    return _digest(step.entry_points, _ROOT)


def code_files(entry_points: Iterable[str], root: Path) -> list[Path]:
    """The source files of the entry points' import closure, and the data files beside them, such as templates."""
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
    """What a package has besides modules: files beside them, and in folders that are not packages."""
    for path in package.iterdir():
        if _is_left_by_a_tool(path.name):
            continue
        if path.is_file() and path.suffix not in {".py", ".pyc"}:
            yield path
        elif path.is_dir() and not (path / "__init__.py").exists():
            inside = (file for file in path.rglob("*") if file.is_file())
            yield from (f for f in inside if not any(map(_is_left_by_a_tool, f.relative_to(path).parts)))


def _is_left_by_a_tool(name: str) -> bool:
    """Whether a file or folder is an editor's, Python's or a build's, not the project's."""
    return name.startswith((".", "__pycache__")) or name.endswith(("~", ".egg-info")) or name in ("build", "dist")
