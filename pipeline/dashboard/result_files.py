"""Reads the typed JSON that steps have written, each file once as long as it does not change."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

_MOST_BYTES = 64_000_000
_KEPT = 10_000

Model = TypeVar("Model", bound=BaseModel)


class _Stamp(NamedTuple):
    modified: int
    size: int


class ResultFiles:
    """Cache of parsed files; a file that cannot be read is remembered with its fault."""

    def __init__(self) -> None:
        self._parsed: OrderedDict[tuple[Path, type], tuple[_Stamp, BaseModel | str]] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: Path, kind: type[Model], faults: list[str]) -> Model | None:
        """Returns the content of `path`; `None` if it does not exist, or cannot be read, which is added to `faults`."""
        try:
            status = path.stat()
        except OSError:
            return None
        stamp = _Stamp(status.st_mtime_ns, status.st_size)
        found = self._kept(path, kind, stamp)
        if found is None:
            found = _parse(path, kind, stamp.size)
            self._keep(path, kind, stamp, found)
        if isinstance(found, kind):
            return found
        faults.append(str(found))
        return None

    def _kept(self, path: Path, kind: type, stamp: _Stamp) -> BaseModel | str | None:
        with self._lock:
            kept = self._parsed.get((path, kind))
            if kept is None or kept[0] != stamp:
                return None
            self._parsed.move_to_end((path, kind))
            return kept[1]

    def _keep(self, path: Path, kind: type, stamp: _Stamp, found: BaseModel | str) -> None:
        with self._lock:
            self._parsed[path, kind] = (stamp, found)
            while len(self._parsed) > _KEPT:
                self._parsed.popitem(last=False)


def _parse(path: Path, kind: type[Model], size: int) -> Model | str:
    if size > _MOST_BYTES:
        return f"{path} is too large to be read ({size} bytes)"
    try:
        return kind.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"{path} is damaged or of another version: {f'{place}: ' if place else ''}{first['msg']}"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
