"""The georeferenced mask of a scene: written by windows, then converted to a cloud-optimised GeoTIFF."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from common.errors import UserError
from common.palette import class_colours
from common.records import VOID
from pipeline.scene.geo_extra import geo_package
from pipeline.scene.scene_file import Scene, Window

_BLOCK = 512
_BYTES_PER_PIXEL = 2.4
"""The uncompressed mask, and the converted one with its overviews, if nothing can be compressed."""

_COG = {
    "driver": "COG",
    "compress": "DEFLATE",
    "blocksize": _BLOCK,
    "overviews": "IGNORE_EXISTING",
    "overview_resampling": "MODE",
    "bigtiff": "IF_SAFER",
}


def check_disk_space(scene: Scene, folder: Path) -> None:
    """Raises `UserError` if the mask of a scene may not fit on the disk of `folder`."""
    need, free = int(scene.pixels * _BYTES_PER_PIXEL), shutil.disk_usage(folder).free
    if need > free:
        raise UserError(
            f"the mask of {scene.path} needs up to {need / 1e6:.0f} MB while it is written, and {folder} has "
            f"{free / 1e6:.0f} MB free; name another folder with --out"
        )


class MaskWriter:
    """Writer of the windows of a mask."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def write(self, window: Window, class_HW: npt.NDArray[np.uint8]) -> None:
        """Writes the classes of a window; 255 is void."""
        windows = geo_package("rasterio.windows", "a georeferenced mask")
        place = windows.Window(window.left, window.top, window.width, window.height)
        self._dataset.write(class_HW, 1, window=place)


@contextmanager
def written_mask(scene: Scene, class_names: Sequence[str], path: Path) -> Iterator[MaskWriter]:
    """Writes a plain GeoTIFF at `path` with the scene's georeference, void as NoData and the classes' colours."""
    rasterio = geo_package("rasterio", "a georeferenced mask")
    height, width = scene.size_2
    settings = {"tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK, "bigtiff": "IF_SAFER", "sparse_ok": False}
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype="uint8", nodata=VOID, **settings
    ) as dataset:
        _copy_georeference(scene, dataset)
        dataset.write_colormap(1, _colour_table(len(class_names)))
        dataset.update_tags(1, **{f"CLASS_{index}": name for index, name in enumerate(class_names)})
        yield MaskWriter(dataset)


def convert_to_cog(plain: Path, cog: Path) -> None:
    """Copies a mask as a cloud-optimised GeoTIFF: in tiles, compressed, with overviews of the most frequent class."""
    geo_package("rasterio.shutil", "a georeferenced mask").copy(plain, cog, **_COG)


def _copy_georeference(scene: Scene, dataset: Any) -> None:
    """Gives the mask the scene's transformation or control points, and its CRS, as far as there are any."""
    if scene.transform is not None:
        dataset.transform = scene.transform
    if scene.transform is None and scene.control_points:
        dataset.gcps = (scene.control_points, scene.crs)
    elif scene.crs is not None:
        dataset.crs = scene.crs


def _colour_table(num_classes: int) -> dict[int, tuple[int, ...]]:
    colours = {index: (*colour, 255) for index, colour in enumerate(class_colours(num_classes).tolist())}
    return colours | {VOID: (0, 0, 0, 0)}
