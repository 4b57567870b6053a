"""Configuration of a batch prediction: which images, where the masks go, and its limits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from common.settings import Settings, default_type
from components.example_gen.source_fields import FollowLinks, Globs


class ImagesSource(Settings):
    """Image files in a folder and its subfolders."""

    type: Literal["images"] = "images"
    root: str = Field(description="Folder of the images (local, gs:// or s3://).", examples=["data/new"])
    images: Globs = Field(
        default=("**",),
        min_length=1,
        description="Globs of the images, relative to the root. Of what they match, files with an image's suffix are "
        "taken; hidden files and outputs of earlier predictions are not.",
    )
    follow_links: FollowLinks = False


class ManifestSource(Settings):
    """Image files that a table names, a row each; it is read row by row, so it may be of any length."""

    type: Literal["manifest"] = "manifest"
    root: str = Field(
        description="Folder (local, gs:// or s3://) to which the paths are relative; absolute ones must lie below it.",
        examples=["data"],
    )
    file: str = Field(default="index.csv", description="The table (.csv, .tsv, .jsonl), relative to the root.")
    column: str = Field(default="image", description="Column with the image's path.")
    follow_links: FollowLinks = False


class RecordsSource(Settings):
    """Images in record files that ingestion wrote; a mask has the name of its pair."""

    type: Literal["records"] = "records"
    root: str = Field(description="Folder (local, gs:// or s3://) of the record files.", examples=["data/Split-test"])
    files: Globs = Field(
        default=("**/*tfrecord*",), min_length=1, description="Globs of the record files, relative to the root."
    )
    follow_links: FollowLinks = False


AnySource = ImagesSource | ManifestSource | RecordsSource
Source = Annotated[
    AnySource, Field(discriminator="type"), default_type("images", ImagesSource, ManifestSource, RecordsSource)
]


class BatchPredictionConfig(Settings):
    """Prediction of many images into a folder, which is continued when it is interrupted."""

    source: Source = Field(description="The images.", examples=["{root: data/new}"])
    out: str = Field(
        description="Folder for masks and index (local, gs:// or s3://), of one version each: `{version}` is the "
        "version that predicts.",
        examples=["predictions/{version}"],
    )
    batch_size: int = Field(default=8, ge=1, le=1024, description="Most images that the model gets at a time.")
    batch_pixels: int = Field(
        default=16_000_000,
        ge=1,
        description="Most pixels that the model gets at a time; a larger image is a batch of its own.",
    )
    max_bytes: int = Field(default=64_000_000, ge=1, description="Most bytes of a file; a larger one is rejected.")
    max_rejected: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Largest share of images that may be rejected; above it the prediction stops with an error.",
    )

    def at_version(self, version: int) -> BatchPredictionConfig:
        """Returns the configuration with the number in the place of `{version}`."""
        return self.model_copy(update={"out": self.out.replace("{version}", str(version))})

    def with_absolute_paths(self) -> BatchPredictionConfig:
        """Returns the configuration with relative paths resolved in the current folder."""
        source = self.source.model_copy(update={"root": _absolute(self.source.root)})
        return self.model_copy(update={"source": source, "out": _absolute(self.out)})


def _absolute(path: str) -> str:
    return path if "://" in path else str(Path(path).expanduser().absolute())
