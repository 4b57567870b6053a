"""A registry in a folder and one in a bucket, and models to push."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from registry.manifest import Manifest
from registry.store import Registry

MakeModel = Callable[[str], str]
Push = Callable[..., Manifest]


@pytest.fixture
def make_model(tmp_path: Path) -> MakeModel:
    """Makes a folder in the shape of a SavedModel; models of equal text have equal content."""

    def make(text: str) -> str:
        folder = tmp_path / "models" / text
        (folder / "variables").mkdir(parents=True, exist_ok=True)
        (folder / "assets.extra").mkdir(exist_ok=True)
        (folder / "saved_model.pb").write_text(f"graph of {text}")
        (folder / "variables" / "variables.index").write_text("index")
        (folder / "variables" / "variables.data-00000-of-00001").write_bytes(text.encode() * 1000)
        (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"")
        return str(folder)

    return make


@pytest.fixture(params=["folder", "bucket"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a registry may be; `memory://` stands for an object store."""
    if request.param == "folder":
        yield str(tmp_path / "registry")
    else:
        bucket = f"memory://bucket-{uuid.uuid4().hex}/team/registry"
        yield bucket
        memory = fsspec.filesystem("memory")
        if memory.exists(bucket):
            memory.rm(bucket, recursive=True)


@pytest.fixture
def local_uri(tmp_path: Path) -> str:
    """A registry in a folder."""
    return str(tmp_path / "registry")


@pytest.fixture
def birth() -> dict[str, Any]:
    """All that a manifest says beside the files."""
    return {
        "model_name": "nuclei",
        "data_fingerprint": "d" * 64,
        "baseline_version": None,
        "metrics": {"mean_iou": 0.81, "mean_dice": 0.89},
        "config": {"name": "nuclei", "trainer": {"epochs": 3}},
        "software": {"tfx": "1.16.0"},
    }


@pytest.fixture
def push(make_model: MakeModel, birth: dict[str, Any]) -> Push:
    """Pushes the model of the given text, and serves it."""

    def push_and_serve(uri: str, text: str, serve: bool = True, **changes: Any) -> Manifest:
        registry = Registry(uri)
        manifest, _ = registry.push(make_model(text), **(birth | changes))
        if serve:
            registry.serve(manifest.version)
        return manifest

    return push_and_serve


@pytest.fixture
def tamper() -> Callable[[str, str, bytes | None], None]:
    """Puts other bytes, or none at all, where the registry keeps a file."""

    def put(uri: str, path: str, data: bytes | None) -> None:
        filesystem, root = fsspec.core.url_to_fs(uri)
        if data is None:
            filesystem.rm(f"{root}/{path}")
        else:
            filesystem.makedirs(f"{root}/{path}".rpartition("/")[0], exist_ok=True)
            filesystem.pipe_file(f"{root}/{path}", data)

    return put
