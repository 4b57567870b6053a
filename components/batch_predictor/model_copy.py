"""The model that predicts: a version of a registry, verified and copied to where workers read it, or a SavedModel."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from common.band_image import DEPTHS
from common.errors import UserError
from common.signatures import EXTRA_ASSETS, PIXELS, SERVING_DEFAULT, SERVING_PIXELS
from components.batch_predictor.origin import ModelFacts
from components.batch_predictor.out_folder import OutFolder
from components.example_gen.bands_config import BandsConfig
from components.example_gen.config import Limits
from registry.hashing import content_hash, hash_folder
from registry.manifest import Manifest
from registry.storage import open_storage
from registry.store import MODEL_FILE, Registry

_CLASS_LIST = f"{EXTRA_ASSETS}/classes.json"
_COPY = ".model"
_MOST_PIXELS = 2**31
"""The limit of a SavedModel without a manifest: its graph has its own."""


class ModelCopy(NamedTuple):
    """A model's folder, which all workers can read, and what is known of it."""

    folder: str
    facts: ModelFacts


def is_saved_model(folder: Path) -> bool:
    """Whether a folder holds a SavedModel."""
    return (folder / MODEL_FILE).is_file()


def served_version(registry: Registry, version: int | None = None) -> Manifest:
    """Returns the manifest of a version, by default the served one.

    Raises:
        UserError: no version is served, or it does not exist.
    """
    number = registry.served() if version is None else version
    if number is None:
        raise UserError(f"the registry {registry.uri} serves no model yet; `segpipe run` pushes a blessed one")
    return registry.manifest(number)


def facts_of_version(manifest: Manifest) -> ModelFacts:
    """Returns what the manifest says of a model."""
    data = manifest.config["data"]
    bands = data.get("bands")
    return ModelFacts(
        name=manifest.model_name,
        version=manifest.version,
        content_hash=manifest.content_hash,
        classes=tuple(data["classes"]),
        bands=None if bands is None else BandsConfig.model_validate(bands),
        max_pixels=Limits.model_validate(data.get("limits", {})).max_pixels,
    )


def facts_of_saved_model(folder: Path) -> ModelFacts:
    """Returns what a SavedModel says of itself: its classes, and the number and depth of its bands.

    Raises:
        UserError: it names no classes, or has not the signature of a segmentation model.
    """
    signatures = _signatures(folder)
    try:
        classes = tuple(json.loads((folder / _CLASS_LIST).read_text()))
    except OSError:
        classes = ()
    if SERVING_DEFAULT not in signatures or not classes:
        raise UserError(
            f"{folder} is not a model that segpipe exported: the signature {SERVING_DEFAULT} or {_CLASS_LIST} is "
            "missing"
        )
    return ModelFacts(
        name=str(folder),
        version=None,
        content_hash=content_hash(hash_folder(open_storage(str(folder)))),
        classes=classes,
        bands=_bands(signatures),
        max_pixels=_MOST_PIXELS,
    )


@contextmanager
def fetched(registry: Registry, manifest: Manifest, out: OutFolder) -> Iterator[ModelCopy]:
    """Copies a version, checked by its hashes, into the output folder, which all workers see, for the context's time.

    Raises:
        UserError: its files are not those that were pushed.
    """
    facts = facts_of_version(manifest)
    place = f"{_COPY}/{manifest.content_hash[:16]}"
    try:
        if out.is_remote:
            _upload(registry, manifest.version, out, place)
        else:
            registry.fetch(manifest.version, out.address(place))
        yield ModelCopy(out.address(place), facts)
    finally:
        out.remove(_COPY)


def _upload(registry: Registry, version: int, out: OutFolder, place: str) -> None:
    with tempfile.TemporaryDirectory(prefix="segpipe-") as scratch:
        folder = Path(scratch, "model")
        registry.fetch(version, str(folder))
        for file in (path for path in folder.rglob("*") if path.is_file()):
            out.write(f"{place}/{file.relative_to(folder).as_posix()}", file.read_bytes())


def _signatures(folder: Path) -> Any:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((folder / MODEL_FILE).read_bytes())
    return saved.meta_graphs[0].signature_def if saved.meta_graphs else {}


def _bands(signatures: Any) -> BandsConfig | None:
    """Returns the bands that the signature for raw samples takes; None for 8-bit RGB, whose model has none."""
    import tensorflow as tf

    if SERVING_PIXELS not in signatures:
        return None
    spec = signatures[SERVING_PIXELS].inputs[PIXELS]
    depth = tf.dtypes.as_dtype(spec.dtype).name
    assert depth in DEPTHS
    names = [f"band {number}" for number in range(1, spec.tensor_shape.dim[-1].size + 1)]
    return BandsConfig.model_validate({"names": names, "depth": depth})
