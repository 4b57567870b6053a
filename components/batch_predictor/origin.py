"""What an output folder was made from: a later call with another model or source is refused."""

from __future__ import annotations

from pydantic import Field

from common.errors import UserError
from common.settings import Settings
from components.batch_predictor.config import AnySource, ImagesSource, ManifestSource, RecordsSource
from components.batch_predictor.out_folder import ORIGIN_FILE, OutFolder, read_or_none
from components.example_gen.bands_config import BandsConfig

_IMAGES_A_SHARD = 100
_MOST_SHARDS = 1000


class ModelFacts(Settings):
    """The model that predicts, and how images are encoded for it."""

    name: str = Field(description="Name of the model, or the SavedModel's folder.")
    version: int | None = Field(description="Version in the registry; null for a SavedModel without one.")
    content_hash: str = Field(description="SHA-256 over the model's files, as in a manifest.")
    classes: tuple[str, ...]
    bands: BandsConfig | None = Field(default=None, description="Bands that the model takes; null: 8-bit RGB.")
    max_pixels: int = Field(description="Most pixels of an image of bands.")

    def __str__(self) -> str:
        named = self.name if self.version is None else f"version {self.version} of {self.name}"
        return f"{named} ({self.content_hash[:12]})"


class Origin(Settings):
    """The content of `predictions.json`."""

    model: ModelFacts
    source: str = Field(description="The source, in words; its images may change.")
    shards: int = Field(ge=1, description="Number of files of the index; it stays the same when images are added.")


def describe(source: AnySource) -> str:
    """Describes a source: two that list the same paths from the same root are described alike."""
    if isinstance(source, ManifestSource):
        return f"images in the column {source.column} of {source.file} in {source.root}"
    patterns = ", ".join(source.images if isinstance(source, ImagesSource) else source.files)
    return f"{source.type} {patterns} in {source.root}"


def claim(out: OutFolder, model: ModelFacts, source: AnySource, images: int, overwrite: bool) -> Origin:
    """Returns the origin that the folder has, or writes it into a new one.

    Args:
        out: The folder, which is locked.
        model: The model of this call.
        source: The source of this call.
        images: Number of images, or of record files, which decides the number of shards of a new folder.
        overwrite: Whether what is in the folder is removed first.

    Raises:
        UserError: the folder holds predictions of another model or source, or files that are not ours.
    """
    written = read_or_none(out, ORIGIN_FILE)
    if written is None and out.holds_own():
        raise UserError(
            f"{out.root} has a folder masks or index, or files of their names, but no {ORIGIN_FILE}, so they are not "
            "from a batch prediction; name another output folder"
        )
    if written is not None and not overwrite:
        found = Origin.model_validate_json(written)
        _check_same(out, found, model, describe(source))
        return found
    if written is not None:
        out.clear()
    in_a_shard = 1 if isinstance(source, RecordsSource) else _IMAGES_A_SHARD
    shards = min(max(-(-images // in_a_shard), 1), _MOST_SHARDS)
    origin = Origin(model=model, source=describe(source), shards=shards)
    out.write(ORIGIN_FILE, origin.model_dump_json(indent=2).encode())
    return origin


def _check_same(out: OutFolder, found: Origin, model: ModelFacts, source: str) -> None:
    remedy = "name another output folder, or remove them with --overwrite"
    if found.model != model:
        raise UserError(f"{out.root} holds predictions by {found.model}, and this call is for {model}; {remedy}")
    if found.source != source:
        raise UserError(f"{out.root} holds predictions of {found.source}, and this call is for {source}; {remedy}")
