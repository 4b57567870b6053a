"""Selects predictions, and renders image, ground truth and prediction as small data URIs."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Iterable, Sequence

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


def draw(
    identity: str,
    slices: dict[str, str],
    scored: Scored,
    image: bytes,
    truth: bytes,
    prediction: bytes,
    longer_side: int,
) -> ShownPrediction:
    """An image ready for the page, from the encoded image, its mask and the predicted mask."""
    picture = read_rgb(image)
    truth_HW, prediction_HW = read_indices(truth), read_indices(prediction)
    size = thumbnail_size(picture.width, picture.height, longer_side)
    return ShownPrediction(
        id=identity,
        score=scored.score,
        slices=slices,
        width=picture.width,
        height=picture.height,
        image=jpeg(picture.resize(size, Image.Resampling.LANCZOS)),
        truth=mask_thumbnail(truth_HW, size),
        prediction=mask_thumbnail(prediction_HW, size),
        errors=jpeg(mark_errors(picture, truth_HW, prediction_HW, size)),
        class_iou=largest_classes(scored.confusion_CC),
    )


def thumbnail_size(width: int, height: int, longer_side: int) -> tuple[int, int]:
    """Width and height with the same aspect, the longer of them at most `longer_side`."""
    factor = min(1.0, longer_side / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def mark_errors(
    picture: Image.Image, truth_HW: npt.NDArray[np.uint8], prediction_HW: npt.NDArray[np.uint8], size: tuple[int, int]
) -> Image.Image:
    """Returns the image in muted grey with wrongly predicted pixels in pink; void is never wrong."""
    if truth_HW.shape != prediction_HW.shape:
        truth_HW = _nearest(truth_HW, (prediction_HW.shape[1], prediction_HW.shape[0]))
    wrong_HW = (truth_HW != prediction_HW) & (truth_HW != VOID)
    strength = Image.fromarray(wrong_HW.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
    grey = picture.convert("L").resize(size, Image.Resampling.LANCZOS).point(lambda value: round(value * 0.55) + 50)
    return Image.composite(Image.new("RGB", size, palette.WRONG), grey.convert("RGB"), strength)


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
    Image.fromarray(palette.colourise(_nearest(mask_HW, size))).save(buffer, "PNG", optimize=True)
    return _data_uri("png", buffer)


def jpeg(picture: Image.Image) -> str:
    """Returns a picture as a data URI."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return _data_uri("jpeg", buffer)


def _data_uri(subtype: str, buffer: io.BytesIO) -> str:
    return f"data:image/{subtype};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
