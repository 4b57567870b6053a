"""Further formats of a version beside its SavedModel, and their record `assets.extra/exports.json`.

They are files of the version, in a folder that TensorFlow Serving does not read, so that the manifest's hashes cover
them and every copy of the version has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from common.plurals import counted

if TYPE_CHECKING:
    from registry.store import Registry

EXPORTS_FILE = "assets.extra/exports.json"
SAVED_MODEL: Final = "saved_model"


class Export(BaseModel):
    """One format of a version, and how it compares with the SavedModel on test images."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: str
    path: str = Field(description="File, relative to the version's folder.")
    bytes: int = Field(description="Size of the file.")
    pictures: int = Field(description="Number of images of the comparison.")
    agreement: float = Field(description="Share of pixels with the SavedModel's class, in the worst image.")
    mean_agreement: float = Field(description="The same over all pixels.")
    mean_iou: float | None = Field(description="Mean IoU on those images; none without masks.")
    iou_loss: float | None = Field(description="By how much the SavedModel's mean IoU is higher.")
    calibration_pictures: int = Field(
        default=0, description="Number of images that the ranges of a quantised format come from."
    )

    @property
    def note(self) -> str:
        """The format in one line."""
        loss = "" if self.iou_loss is None else f", mean IoU {self.mean_iou:.4f} ({0 - self.iou_loss:+.4f})"
        ranges = f", ranges of {counted(self.calibration_pictures, 'image')}" if self.calibration_pictures else ""
        return (
            f"{self.format}, {size_text(self.bytes)}: {self.agreement:.2%} of the SavedModel's pixels in the worst of "
            f"{counted(self.pictures, 'image')}{loss}{ranges}"
        )


class Exports(BaseModel):
    """All formats of a version but the SavedModel."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    saved_model_bytes: int = Field(description="Size of the SavedModel's files.")
    formats: tuple[Export, ...]

    def of_format(self, name: str) -> Export | None:
        """Returns the format `name`; None if the version does not hold it."""
        return next((export for export in self.formats if export.format == name), None)


def read_exports(registry: Registry, version: int) -> Exports | None:
    """Returns the record of a version; None if it is a SavedModel only."""
    manifest = registry.manifest(version)
    if EXPORTS_FILE not in manifest.files:
        return None
    return Exports.model_validate_json(registry.read_file(manifest, EXPORTS_FILE))


def size_text(size: int) -> str:
    """Returns a number of bytes as people read it, such as `1.2 MB`."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
