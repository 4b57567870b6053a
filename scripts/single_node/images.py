"""Images without Docker: an archive as `docker save` writes it, of a folder or of single files."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Skip = Callable[[str], bool]


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
    with tempfile.NamedTemporaryFile(dir=archive.parent) as layer:
        with tarfile.open(fileobj=layer, mode="w") as tar:
            if root is not None:
                tar.add(root, arcname=".", filter=lambda entry: None if skip(entry.name.removeprefix("./")) else entry)
            for path, file in (files or {}).items():
                _add_program(tar, path, file)
        layer.flush()
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": dict(settings or {}),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(Path(layer.name))}"]},
        }
        _write_archive(archive, name, config, Path(layer.name))


def write_program_image(archive: Path, name: str, files: Mapping[str, Path], entrypoint: Sequence[str]) -> None:
    """Writes an image of nothing but programs that need no libraries."""
    write_image(archive, name, files=files, settings={"Entrypoint": list(entrypoint), "Env": ["PATH=/bin"]})


def _add_program(tar: tarfile.TarFile, path: str, file: Path) -> None:
    entry = tar.gettarinfo(str(file.resolve()), arcname=path.lstrip("/"))
    entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = 0o755, 0, 0, "", ""
    with file.open("rb") as content:
        tar.addfile(entry, content)


def _write_archive(archive: Path, name: str, config: Mapping[str, Any], layer: Path) -> None:
    text = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as tar:
        tar.add(layer, arcname="layer.tar")
        for file, content in ((config_name, text), ("manifest.json", json.dumps(manifest).encode())):
            entry = tarfile.TarInfo(file)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(2**20):
            digest.update(block)
    return digest.hexdigest()
