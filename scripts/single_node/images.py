"""Images without Docker: an archive as `docker save` writes it, of a folder or of single files."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

Skip = Callable[[str], bool]
_LAYER = "layer.tar"


def write_image(
    archive: Path,
    name: str,
    *,
    root: Path | None = None,
    files: Mapping[str, Path] | None = None,
    skip: Skip = lambda path: False,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Writes an image of one layer.

    Args:
        archive: The file to write, for `scripts/cluster load`.
        name: The image's name and tag.
        root: A folder whose content is that of `/`.
        files: Further ones: path in the image → file here; all of them can be executed.
        skip: Whether a path below `root` (`usr/lib/x`) is left out, with all below it.
        settings: `Env`, `User`, `Entrypoint`, `Cmd`, `WorkingDir`, as Docker calls them.
    """
    with archive.open("w+b") as out:
        out.write(bytes(tarfile.BLOCKSIZE))  # For the layer's header, which has its size.
        layer = _Layer(out)
        with tarfile.open(fileobj=layer, mode="w|", bufsize=2**20) as tar:  # type: ignore[call-overload]
            if root is not None:
                tar.add(root, arcname=".", filter=lambda entry: None if skip(entry.name.removeprefix("./")) else entry)
            for path, file in (files or {}).items():
                _add_program(tar, path, file)
        _pad(out, layer.size)
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": dict(settings or {}),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest.hexdigest()}"]},
        }
        _finish(out, name, config, layer.size)


def write_program_image(archive: Path, name: str, files: Mapping[str, Path], entrypoint: Sequence[str]) -> None:
    """Writes an image of nothing but programs that need no libraries."""
    write_image(archive, name, files=files, settings={"Entrypoint": list(entrypoint), "Env": ["PATH=/bin"]})


def _add_program(tar: tarfile.TarFile, path: str, file: Path) -> None:
    entry = tar.gettarinfo(str(file.resolve()), arcname=path.lstrip("/"))
    entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = 0o755, 0, 0, "", ""
    with file.open("rb") as content:
        tar.addfile(entry, content)


class _Layer:
    """A layer as it is written into the archive: its size and digest are known at its end."""

    def __init__(self, out: BinaryIO) -> None:
        self.out, self.size, self.digest = out, 0, hashlib.sha256()

    def write(self, block: bytes) -> int:
        """Passes a block on."""
        self.size += len(block)
        self.digest.update(block)
        return self.out.write(block)


def _finish(out: BinaryIO, name: str, config: Mapping[str, Any], layer: int) -> None:
    text = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [name], "Layers": [_LAYER]}]).encode()
    for file, content in ((config_name, text), ("manifest.json", manifest)):
        out.write(_header(file, len(content)) + content)
        _pad(out, len(content))
    out.write(bytes(2 * tarfile.BLOCKSIZE))
    out.seek(0)
    out.write(_header(_LAYER, layer))


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def _pad(out: BinaryIO, size: int) -> None:
    out.write(bytes(-size % tarfile.BLOCKSIZE))
