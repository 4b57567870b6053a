"""Reference distributions of the versions: `references/<n>.json` in the registry.

What `segpipe monitor` compares the answers of a served version with.  It is beside the version, like its card: it comes
from the evaluation, and a version that an earlier release pushed gets it by the next run that evaluates the same model.
"""

from __future__ import annotations

from registry.storage import Storage

REFERENCES = "references"


def write_reference(storage: Storage, version: int, text: str) -> None:
    """Writes the reference distribution of a version, in place of an older one."""
    with storage.writer(REFERENCES) as writer:
        writer.write(_path(version), text.encode())


def read_reference(storage: Storage, version: int) -> str | None:
    """Returns the reference distribution of a version; `None` if it has none."""
    try:
        return storage.read(_path(version)).decode()
    except FileNotFoundError:
        return None


def _path(version: int) -> str:
    return f"{REFERENCES}/{version}.json"
