"""Workspaces that the dashboard shows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError
from pipeline.local.metadata_file import METADATA

LOGS = "logs"
_MARKS = (METADATA, "lock")
_CONFIGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Workspace:
    """Folder of the runs of one configuration."""

    key: str
    """Its name in addresses."""
    folder: Path
    named_registry: str | None = None
    """The registry, if a configuration says it."""
    config: Path | None = None

    @property
    def metadata(self) -> Path:
        """The database of ML Metadata; it may be missing."""
        return self.folder / METADATA

    def inside(self, path: Path) -> Path | None:
        """Returns `path` without links, or `None` if it is not a file or folder inside the workspace."""
        try:
            real = path.resolve(strict=True)
        except OSError:
            return None
        return real if real.is_relative_to(self.folder.resolve()) else None


class Workspaces:
    """The workspaces that the command names; those in a folder of workspaces are looked up each time."""

    def __init__(self, given: Sequence[Path]) -> None:
        """Checks what is given; by default the workspaces in `runs/`.

        Raises:
            UserError: something given is neither a workspace, a folder of workspaces, nor a configuration.
        """
        self._fixed: list[Workspace] = []
        self._parents: list[Path] = []
        for path in given:
            self._add(path)
        if not given:
            self._parents.append(Path("runs").absolute())

    def current(self) -> list[Workspace]:
        """Returns the workspaces that exist now, each under a key of its own."""
        found = [*self._fixed, *(each for parent in self._parents for each in _below(parent))]
        return list(_with_own_keys(found))

    def find(self, key: str) -> Workspace | None:
        """Returns the workspace with this key."""
        return next((each for each in self.current() if each.key == key), None)

    def _add(self, path: Path) -> None:
        if path.suffix in _CONFIGS and not path.is_dir():
            self._fixed.append(_of_config(path))
        elif is_workspace(path):
            self._fixed.append(Workspace(path.name, path.absolute()))
        elif any(_below(path)):
            self._parents.append(path.absolute())
        else:
            raise UserError(
                f"{path} is neither the workspace of a run, a folder of workspaces, nor a configuration (.yaml); "
                "`segpipe run` makes a workspace, by default runs/NAME"
            )


def is_workspace(folder: Path) -> bool:
    """Returns whether a run has used the folder."""
    return any((folder / name).exists() for name in _MARKS)


def _of_config(path: Path) -> Workspace:
    from pipeline.config.run_config import load_config

    config = load_config(path, ())
    return Workspace(config.workspace_dir.name, config.workspace_dir, config.registry_uri, path)


def _below(parent: Path) -> list[Workspace]:
    try:
        folders = sorted(path for path in parent.iterdir() if path.is_dir() and is_workspace(path))
    except OSError:
        return []
    return [Workspace(path.name, path) for path in folders]


def _with_own_keys(found: Iterable[Workspace]) -> Iterator[Workspace]:
    """Yields each folder once, under a key that is valid in an address and unique."""
    folders: set[Path] = set()
    taken: set[str] = set()
    for each in found:
        if each.folder in folders:
            continue
        folders.add(each.folder)
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", each.key).strip("-") or "workspace"
        key = next(key for n in range(1, len(taken) + 2) if (key := plain if n == 1 else f"{plain}-{n}") not in taken)
        taken.add(key)
        yield Workspace(key, each.folder, each.named_registry, each.config)
