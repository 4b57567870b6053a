"""Selects predictions, and renders image, ground truth, prediction and wrong pixels as data URIs."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from common import palette
from common.records import VOID
from components.evaluator import counts
from components.report.data import ShownPrediction

_CLASSES_NAMED = 5
_SPECKS = 0.005  # share of the pixels up to which a class that the truth lacks is ignored
_JPEG_QUALITY = 84
_SMALLER = 0.75  # factor by which an image with too many bytes is shrunk
_LEAST_SIDE = 64
_WRONG_LEVELS = 4  # of opacity, in the layer of wrong pixels


@dataclasses.dataclass(frozen=True)
class Scored:
    """Score of the prediction for one record."""

    index: int  # of the record in its split
    score: float  # mean IoU over the classes that `score` counts
    trivial: bool  # the truth has a single class
    confusion_CC: counts.Counts


def score(index: int, confusion_CC: counts.Counts) -> Scored | None:
    """The score of one image; `None` where no pixel counts.

    It is the mean IoU over the classes of the truth, and those that were wrongly predicted on more than specks of
    the image: such a class has IoU 0, and one stray pixel would make a good prediction one of the worst.
    """
    truth_C, predicted_C = confusion_CC.sum(axis=1), confusion_CC.sum(axis=0)
    if not truth_C.any():
        return None
    counted_C = (truth_C > 0) | (predicted_C > _SPECKS * predicted_C.sum())
    value = float(counts.iou(confusion_CC)[counted_C].mean())
    return Scored(index, value, bool(np.count_nonzero(truth_C) == 1), confusion_CC)


def choose(scored: Iterable[Scored], best: int, worst: int) -> tuple[list[Scored], list[Scored]]:
    """Returns the `best` best in descending and the `worst` worst in ascending order; none is in both.

    Images of a single class are easily perfect and tell little: they come last among the best.
    """
    ascending = sorted(scored, key=lambda s: (s.score, s.index))
    lowest = ascending[:worst]
    rest = sorted(ascending[worst:], key=lambda s: (s.trivial, -s.score, s.index))
    return rest[:best], lowest


class ClassScored(NamedTuple):
    """An image with its IoU of one class."""

    scored: Scored
    iou: float


def worst_by_class(scored: Sequence[Scored], number: int, most_images: int) -> dict[int, list[ClassScored]]:
    """Returns for each class at most `number` images with its lowest IoU, of those where it occurs.

    It occurs where truth or prediction have a pixel of it.  Of images with the same IoU, mostly 0, those with more
    wrong pixels of the class come first.  Classes are in ascending order of their IoU over all images; those beyond
    `most_images` entries are left out.
    """
    if not scored or not number:
        return {}
    iou_C = counts.iou(np.sum([each.confusion_CC for each in scored], axis=0))
    order = [int(c) for c in np.argsort(iou_C, kind="stable") if np.isfinite(iou_C[c])]
    return {c: _worst_of(scored, c)[:number] for c in order[: most_images // number]}


def _worst_of(scored: Sequence[Scored], index: int) -> list[ClassScored]:
    found = []
    for each in scored:
        hits = int(each.confusion_CC[index, index])
        wrong = int(each.confusion_CC[index].sum() + each.confusion_CC[:, index].sum()) - 2 * hits
        if hits + wrong:
            found.append((hits / (hits + wrong), -wrong, each.index, each))
    return [ClassScored(each, iou) for iou, _, _, each in sorted(found, key=lambda one: one[:3])]


def draw(
    identity: str,
    slices: dict[str, str],
    scored: Scored,
    image: bytes,
    truth: bytes,
    prediction: bytes,
    longer_side: int,
    most_bytes: int,
) -> ShownPrediction:
    """An image ready for the page, from the encoded image, its mask and the predicted mask.

    It is shrunk to `longer_side`, and further until its data URIs have at most `most_bytes`.
    """
    picture = read_rgb(image)
    truth_HW, prediction_HW = read_indices(truth), read_indices(prediction)
    side = float(longer_side)
    while True:
        size = thumbnail_size(picture.width, picture.height, round(side))
        layers = {
            "image": jpeg(picture.resize(size, Image.Resampling.LANCZOS)),
            "truth": mask_thumbnail(truth_HW, size),
            "prediction": mask_thumbnail(prediction_HW, size),
            "errors": wrong_pixels(truth_HW, prediction_HW, size),
        }
        if sum(map(len, layers.values())) <= most_bytes or side <= _LEAST_SIDE:
            break
        side = max(_LEAST_SIDE, side * _SMALLER)
    return ShownPrediction(
        number=scored.index,
        id=identity,
        score=scored.score,
        slices=slices,
        width=picture.width,
        height=picture.height,
        shown_width=size[0],
        shown_height=size[1],
        class_iou=largest_classes(scored.confusion_CC),
        **layers,
    )


def thumbnail_size(width: int, height: int, longer_side: int) -> tuple[int, int]:
    """Width and height with the same aspect, the longer of them at most `longer_side`."""
    factor = min(1.0, longer_side / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def wrong_pixels(truth_HW: npt.NDArray[np.uint8], prediction_HW: npt.NDArray[np.uint8], size: tuple[int, int]) -> str:
    """Returns a transparent layer with wrongly predicted pixels in pink, as a data URI; void is never wrong."""
    strength = wrong_shares(truth_HW, prediction_HW, size)
    opacities = np.linspace(0, 255, _WRONG_LEVELS).astype(np.uint8)
    layer = Image.fromarray(np.rint(np.asarray(strength) / opacities[1]).astype(np.uint8))
    layer.putpalette(bytes(palette.WRONG) * _WRONG_LEVELS)
    buffer = io.BytesIO()
    layer.save(buffer, "PNG", optimize=True, transparency=opacities.tobytes())
    return _data_uri("png", buffer)


def wrong_shares(
    truth_HW: npt.NDArray[np.uint8], prediction_HW: npt.NDArray[np.uint8], size: tuple[int, int]
) -> Image.Image:
    """Returns the share of wrong pixels below each pixel of a thumbnail, of 255; void is never wrong.

    A mask of another size, as of an image whose tiles are cut from a scaled one, gets the prediction's.
    """
    if truth_HW.shape != prediction_HW.shape:
        truth_HW = _nearest(truth_HW, (prediction_HW.shape[1], prediction_HW.shape[0]))
    wrong_HW = (truth_HW != prediction_HW) & (truth_HW != VOID)
    return Image.fromarray(wrong_HW.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)


def largest_classes(confusion_CC: counts.Counts) -> tuple[tuple[int, float], ...]:
    """Returns the IoU of the classes with the most pixels in truth or prediction, the largest first."""
    iou_C = counts.iou(confusion_CC)
    pixels_C = confusion_CC.sum(axis=0) + confusion_CC.sum(axis=1)
    order = [int(c) for c in np.argsort(-pixels_C, kind="stable") if pixels_C[c] > 0]
    return tuple((c, float(iou_C[c])) for c in order[:_CLASSES_NAMED])


def read_rgb(encoded: bytes) -> Image.Image:
    """Returns an encoded image in 8-bit RGB."""
    picture = Image.open(io.BytesIO(encoded))
    if picture.mode.startswith("I"):  # 16 bits: TensorFlow takes the upper eight too, Pillow would clip
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    return picture.convert("RGB")


def read_indices(encoded: bytes) -> npt.NDArray[np.uint8]:
    """Returns the class indices [H, W] of an encoded mask."""
    return np.asarray(Image.open(io.BytesIO(encoded)), np.uint8)


def _nearest(mask_HW: npt.NDArray[np.uint8], size: Sequence[int]) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.fromarray(mask_HW).resize((size[0], size[1]), Image.Resampling.NEAREST))


def mask_thumbnail(mask_HW: npt.NDArray[np.uint8], size: tuple[int, int]) -> str:
    """Returns a mask in its classes' colours, at a size (width, height), as a data URI."""
    buffer = io.BytesIO()
    _with_palette(palette.colourise(_nearest(mask_HW, size))).save(buffer, "PNG", optimize=True)
    return _data_uri("png", buffer)


def _with_palette(colours_HWC: npt.NDArray[np.uint8]) -> Image.Image:
    """Returns an image with a palette of the colours that occur; one with more than 256 as it is."""
    packed_HW = (colours_HWC.astype(np.uint32) << np.array([16, 8, 0], np.uint32)).sum(axis=-1)
    found, indices = np.unique(packed_HW, return_inverse=True)
    if len(found) > 256:
        return Image.fromarray(colours_HWC)
    image = Image.fromarray(indices.reshape(packed_HW.shape).astype(np.uint8))
    image.putpalette(b"".join(int(colour).to_bytes(3, "big") for colour in found))
    return image


def jpeg(picture: Image.Image) -> str:
    """Returns a picture as a data URI."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return _data_uri("jpeg", buffer)


def _data_uri(subtype: str, buffer: io.BytesIO) -> str:
    return f"data:image/{subtype};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
