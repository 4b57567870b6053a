"""Files that `segpipe predict` writes: masks, or annotations that labelling tools open."""

from __future__ import annotations

import base64
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from common.errors import UserError
from common.palette import overlay
from pipeline.cli.image_files import ImageFile
from segpipe_client.pictures import decoded_rgb
from segpipe_client.polygons import feature_collection, outlines, regions
from serving.errors import FailedPictureError

FORMATS = ("png", "coco", "labelme", "geojson", "gpkg")
COCO_FILE = "predictions.json"
LABELME_VERSION = "5.5.0"

Mask = npt.NDArray[np.uint8]
Regions = npt.NDArray[np.int64]


class Prediction(NamedTuple):
    """Prediction for an image; the version is None if the server does not report it."""

    mask_HW: Mask
    shares: Mapping[str, float]
    mean_confidence: float
    version: int | None
    class_names: tuple[str, ...]
    picture: bytes
    """The image as the model took it."""


class AnswerFiles(ABC):
    """Writer of a format into a folder.  Pixels of the first class count as background, and are not annotated."""

    told: str
    """What is written, for the message: `masks and overlays are in`."""

    def __init__(self, out: Path) -> None:
        self._out = out

    @abstractmethod
    def add(self, image: ImageFile, found: Prediction) -> None:
        """Writes the files of one image, each atomically; raises `UserError` if that fails."""

    def finish(self) -> None:  # noqa: B027 - most formats have no such file
        """Writes what describes all images, if the format has such a file."""


def answer_files(format: str, out: Path) -> AnswerFiles:
    """Returns the writer of a format, one of `FORMATS`, into the folder `out`."""
    writers: dict[str, type[AnswerFiles]] = {
        "png": _Masks,
        "coco": _Coco,
        "labelme": _Labelme,
        "geojson": _GeoJson,
        "gpkg": _GeoJson,  # Only scenes have such a file, and are written elsewhere.
    }
    return writers[format](out)


class _Masks(AnswerFiles):
    """`NAME.mask.png` with class indices, and `NAME.overlay.png`."""

    told = "masks and overlays are in"

    def add(self, image: ImageFile, found: Prediction) -> None:
        try:
            pixels_HWC = decoded_rgb(found.picture)
        except OSError as error:
            raise FailedPictureError(f"{image.path}: Pillow cannot decode it for the overlay: {error}") from None
        _write(self._out / f"{image.name}.mask.png", _png(Image.fromarray(found.mask_HW)))
        _write(self._out / f"{image.name}.overlay.png", _png(Image.fromarray(overlay(pixels_HWC, found.mask_HW))))


class _Coco(AnswerFiles):
    """One file of COCO (instances): each region of a class is an annotation with a compressed run-length encoding."""

    told = f"annotations for COCO's tools are in {COCO_FILE} in"

    def __init__(self, out: Path) -> None:
        super().__init__(out)
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._names: tuple[str, ...] = ()

    def add(self, image: ImageFile, found: Prediction) -> None:
        height, width = found.mask_HW.shape
        key = len(self._images) + 1
        self._names = found.class_names
        self._images.append({"id": key, "file_name": _file_name(image), "width": width, "height": height})
        for index, encoded in _encoded_regions(found.mask_HW):
            self._annotations.append(_coco_annotation(len(self._annotations) + 1, key, index, encoded))

    def finish(self) -> None:
        categories = [{"id": index, "name": name} for index, name in enumerate(self._names) if index]
        document = {"images": self._images, "annotations": self._annotations, "categories": categories}
        _write_json(self._out / COCO_FILE, document)


class _Labelme(AnswerFiles):
    """`NAME.json`, which LabelMe opens: a polygon for each region, or a mask if the region has holes."""

    told = "annotations for LabelMe are in"

    def add(self, image: ImageFile, found: Prediction) -> None:
        file = self._out / f"{image.name}.json"
        height, width = found.mask_HW.shape
        document: dict[str, Any] = {
            "version": LABELME_VERSION,
            "flags": {},
            "shapes": list(_labelme_shapes(found)),
            "imagePath": os.path.relpath(image.path.resolve(), file.parent.resolve()),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        _write_json(file, document)


class _GeoJson(AnswerFiles):
    """`NAME.geojson`: a polygon for each region, in pixels from the upper left corner."""

    told = "polygons are in"

    def add(self, image: ImageFile, found: Prediction) -> None:
        classes = range(1, len(found.class_names))
        document = feature_collection(found.mask_HW, found.class_names, tuple(classes), 1)
        _write_json(self._out / f"{image.name}.geojson", document)


def _file_name(image: ImageFile) -> str:
    suffix = image.path.suffix
    return image.name if image.name.endswith(suffix) else image.name + suffix


def _encoded_regions(mask_HW: Mask) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the class and the encoding of each region that is not of the first class."""
    from pycocotools import mask as coco_mask

    height, width = mask_HW.shape
    flat_N = regions(mask_HW).ravel(order="F")
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat_N)) + 1])
    lengths = np.diff(np.append(starts, flat_N.size))
    of_run = flat_N[starts]
    ordered = np.argsort(of_run, kind="stable")
    bounds = np.concatenate([[0], np.flatnonzero(np.diff(of_run[ordered])) + 1, [len(ordered)]])
    classes_N = mask_HW.ravel(order="F")
    for first, last in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        runs = ordered[first:last]
        index = int(classes_N[starts[runs[0]]])
        if index:
            counts = _counts(starts[runs], lengths[runs], flat_N.size)
            yield index, coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)


def _counts(starts: Regions, lengths: Regions, pixels: int) -> list[int]:
    """The lengths of runs of 0 and 1 by turns, for runs of 1 at `starts`."""
    ends = starts + lengths
    gaps = starts - np.concatenate([[0], ends[:-1]])
    counts: list[int] = np.stack([gaps, lengths], axis=1).ravel().tolist()
    return [*counts, pixels - int(ends[-1])]


def _coco_annotation(key: int, image: int, index: int, encoded: dict[str, Any]) -> dict[str, Any]:
    from pycocotools import mask as coco_mask

    return {
        "id": key,
        "image_id": image,
        "category_id": index,
        "segmentation": {"size": list(encoded["size"]), "counts": encoded["counts"].decode()},
        "area": int(coco_mask.area(encoded)),
        "bbox": coco_mask.toBbox(encoded).tolist(),
        "iscrowd": 0,
    }


def _labelme_shapes(found: Prediction) -> Iterator[dict[str, Any]]:
    region_HW = regions(found.mask_HW)
    class_index = np.zeros(int(region_HW.max()) + 1, np.uint8)
    class_index[region_HW] = found.mask_HW
    for rings in outlines(region_HW, class_index > 0):
        shape = {"label": found.class_names[class_index[rings.region]], "group_id": None, "flags": {}}
        if not rings.holes:
            yield shape | {"shape_type": "polygon", "points": rings.exterior[:-1]}
            continue
        corners = np.array(rings.exterior)
        (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        window_HW = region_HW[top:bottom, left:right] == rings.region
        mask = base64.b64encode(_png(Image.fromarray(window_HW.astype(np.uint8) * 255))).decode()
        points = [[left, top], [right - 1, bottom - 1]]
        yield shape | {"shape_type": "mask", "points": points, "mask": mask}


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    _write(path, (json.dumps(document, ensure_ascii=False) + "\n").encode())


def _write(path: Path, data: bytes) -> None:
    staged = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            staged.write_bytes(data)
            staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}; name another folder with --out") from None
