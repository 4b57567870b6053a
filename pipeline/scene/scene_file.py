"""A georeferenced scene in a GeoTIFF, read by windows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from components.example_gen.georeference import file_orientation
from pipeline.scene.geo_extra import CACHE_MEGABYTES, geo_package
from serving.errors import FailedPictureError

Samples = npt.NDArray[Any]
Valid = npt.NDArray[np.bool_]

LARGEST_BLOCK = 256_000_000
"""Bytes of a block (a strip or a tile of the file), which GDAL decodes as a whole."""
_WHOLE_BYTES = 8


class WantedSamples(NamedTuple):
    """Samples that a model takes."""

    depth: str
    """NumPy's name of their type."""
    in_file: int
    """Bands of a file, in the order of `data.bands.names`; 3 for 8-bit RGB."""
    places: tuple[int, ...]
    """Positions of the bands that the model gets."""
    is_rgb: bool = False
    """Whether the model takes 8-bit RGB, and so grey as well."""


RGB_SAMPLES = WantedSamples("uint8", 3, (0, 1, 2), is_rgb=True)


class Window(NamedTuple):
    """Rows and columns of a scene, as half-open ranges."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.right - self.left

    def __str__(self) -> str:
        return f"rows {self.top} to {self.bottom - 1}, columns {self.left} to {self.right - 1}"


class Scene:
    """An open scene."""

    def __init__(self, path: Path, dataset: Any, wanted: WantedSamples) -> None:
        """Checks the file's header; `open_scene` makes scenes.

        Raises:
            FailedPictureError: the model does not take the file's samples, or its blocks are too large.
        """
        self.path = path
        self._dataset = dataset
        self._wanted = wanted
        self._alpha = [index for index, one in enumerate(dataset.colorinterp) if one.name == "alpha"]
        self._check_bits()
        self._bands = self._picked_bands()
        self._check_samples()
        self._check_blocks()
        self._has_mask = self._masks()

    @property
    def size_2(self) -> tuple[int, int]:
        """Height and width."""
        return self._dataset.height, self._dataset.width

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        height, width = self.size_2
        return height * width

    @property
    def crs(self) -> Any:
        """The coordinate reference system of the file, or of its control points; None if there is none."""
        return self._dataset.crs or self._dataset.gcps[1]

    @property
    def transform(self) -> Any:
        """The affine transformation from pixels to map coordinates; None if the file has none."""
        transform = self._dataset.transform
        return None if transform.is_identity else transform

    @property
    def control_points(self) -> list[Any]:
        """Ground control points, of a file without an affine transformation."""
        return list(self._dataset.gcps[0])

    @property
    def is_wide_in_strips(self) -> bool:
        """Whether every block is as wide as the scene, and the scene wider than high: windows then cut all blocks."""
        height, width = self.size_2
        rows, columns = self._dataset.block_shapes[0]
        return bool(width > height > rows and columns >= width)

    def read(self, window: Window) -> Samples:
        """Reads the samples [H, W, bands] that the model takes.

        Raises:
            FailedPictureError: the file is damaged there, or has samples that are not finite numbers.
        """
        with self._errors_name(window):
            image_CHW = self._dataset.read([place + 1 for place in self._bands], window=_rasterio_window(window))
        image_HWC = np.moveaxis(image_CHW, 0, -1).astype(self._wanted.depth, copy=False)
        return image_HWC if image_HWC.dtype.kind != "f" else self._finite(image_HWC, window)

    def read_valid(self, window: Window) -> Valid | None:
        """Reads which pixels [H, W] have data; None if all have."""
        if not self._has_mask:
            return None
        with self._errors_name(window):
            valid_HW: Valid = self._dataset.dataset_mask(window=_rasterio_window(window)) > 0
        return None if valid_HW.all() else valid_HW

    def windows(self, rows: int) -> Iterator[Window]:
        """Yields the scene as windows of its whole width and of `rows` rows."""
        height, width = self.size_2
        for top in range(0, height, rows):
            yield Window(top, min(top + rows, height), 0, width)

    def error(self, cause: str) -> FailedPictureError:
        """Returns an error that names the file."""
        return FailedPictureError(f"{self.path}: {cause}")

    def _picked_bands(self) -> list[int]:
        """Positions in the file of the bands that the model gets; an alpha band beyond them is a mask."""
        count, wanted = self._dataset.count, self._wanted
        own = count - 1 if self._alpha == [count - 1] and count != wanted.in_file else count
        if wanted.is_rgb and own == 1:
            self._check_no_palette()
            return [0, 0, 0]
        if own != wanted.in_file:
            hint = "write those three, or train with data.bands" if wanted.is_rgb else "see data.bands.names"
            raise self.error(f"the scene has {own} bands, and the model takes {wanted.in_file}; {hint}")
        return list(wanted.places)

    def _check_bits(self) -> None:
        """Before the bands, because GDAL gives samples of 1 bit a palette."""
        bits = self._dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS")
        if bits and int(bits) < _WHOLE_BYTES:
            raise self.error(
                f"the scene has samples of {bits} {'bit' if bits == '1' else 'bits'}, and the model takes "
                f"{self._wanted.depth}; convert it"
            )

    def _check_no_palette(self) -> None:
        if self._dataset.colorinterp[0].name == "palette":
            raise self.error("the scene has a palette; convert it with `gdal_translate -expand rgb`")

    def _check_samples(self) -> None:
        depth = self._wanted.depth
        types = {self._dataset.dtypes[place] for place in self._bands}
        lossless = {"uint8", "int8", "uint16", "int16"} if depth == "float32" else set()
        if other := types - lossless - {depth}:
            raise self.error(f"the scene has {min(other)} samples, and the model takes {depth}; convert it")
        if (turned := file_orientation(self.path)) != 1:
            raise self.error(f"the scene has the orientation {turned}, which maps do not have; write it upright")

    def _check_blocks(self) -> None:
        rows, columns = self._dataset.block_shapes[0]
        together = len(self._bands) if self._dataset.interleaving.name == "pixel" else 1
        size = rows * columns * np.dtype(self._dataset.dtypes[0]).itemsize * together
        if size > LARGEST_BLOCK:
            raise self.error(
                f"its blocks have {columns} × {rows} pixels, {size / 1e6:.0f} MB, which are decoded as a whole; "
                "rewrite it with `gdal_translate -co TILED=YES`"
            )

    def _masks(self) -> bool:
        """Whether a mask has to be read; that of an alpha band which the model takes is none."""
        flags = {flag.name for flags in self._dataset.mask_flag_enums for flag in flags}
        alpha_is_data = set(self._alpha) & set(range(self._wanted.in_file))
        return bool(flags - {"all_valid"}) and not ("alpha" in flags and alpha_is_data)

    def _finite(self, image_HWC: Samples, window: Window) -> Samples:
        """Replaces samples without data that are not finite by 0; one with data raises `FailedPictureError`."""
        finite_HW = np.isfinite(image_HWC).all(axis=-1)
        if finite_HW.all():
            return image_HWC
        valid_HW = self.read_valid(window)
        if valid_HW is None or (valid_HW & ~finite_HW).any():
            raise self.error(f"samples in {window} are not finite numbers; declare them as NoData, or replace them")
        return np.asarray(np.nan_to_num(image_HWC, nan=0, posinf=0, neginf=0))

    @contextmanager
    def _errors_name(self, window: Window) -> Iterator[None]:
        rasterio = geo_package("rasterio", "a GeoTIFF")
        try:
            yield
        except rasterio.errors.RasterioError as error:
            cause = error.__cause__ or error
            raise self.error(f"the file is damaged in {window}: {str(cause).splitlines()[0]}") from error


@contextmanager
def open_scene(path: Path, wanted: WantedSamples) -> Iterator[Scene]:
    """Opens a GeoTIFF for a model that takes `wanted`.

    Raises:
        UserError: rasterio is not installed.
        FailedPictureError: the file cannot be opened, or the model does not take it.
    """
    rasterio = geo_package("rasterio", "a GeoTIFF")
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MEGABYTES, GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"):
        try:
            dataset = rasterio.open(path, driver="GTiff")
        except rasterio.errors.RasterioError as error:
            raise FailedPictureError(f"{path}: it cannot be opened: {str(error).splitlines()[0]}") from error
        with dataset:
            yield Scene(path, dataset, wanted)


def _rasterio_window(window: Window) -> Any:
    windows = geo_package("rasterio.windows", "a GeoTIFF")
    return windows.Window(window.left, window.top, window.width, window.height)
