"""Mode and size of the model's input, and the batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.example_gen.object_sizes import SMALLEST, resized_by
from components.trainer.inference.config import InferenceConfig, check_band
from components.transform.config import TransformConfig
from pipeline.config.run_config import RunConfig
from pipeline.plan.fingerprint import MOST_VALUES, Fingerprint, ImageFacts
from pipeline.plan.network import batch_in_memory, depth_at
from pipeline.plan.proposal import Proposal

LARGEST = 512
"""Height and width of the largest input: that of nnU-Net's two-dimensional reference."""
ENOUGH = 2 * SMALLEST
"""Width in pixels that the median object of each class must keep for images to be resized."""
LEAST_BATCH = 8
"""Below it, batch normalisation is worse (Wu and He 2018); nnU-Net, with instance normalisation, goes down to 2."""
MOST_BATCH = 32
SMALLEST_BATCH = 2
"""Images that each worker needs: of one, batch normalisation may have a single value (`batch_statistics`)."""
COVERED = 0.05
"""Largest share of the training pixels in a batch, as in nnU-Net."""
_STEP = 0.97
_SMALLEST_SIDE = 16


@dataclass(frozen=True)
class Input:
    """Mode, size, depth of the network, batch, and the sentences that say why."""

    mode: str
    height: int
    width: int
    depth: int
    batch: int
    tiles: bool
    """Whether a sliding window of this size is allowed."""
    why_mode: str
    why_size: str
    why_batch: str

    def proposals(self, config: RunConfig) -> list[Proposal]:
        """Returns the settings; an encoder's depth is fixed."""
        found = [
            Proposal("transform.mode", self.mode, self.why_mode),
            Proposal("transform.height", self.height, self.why_size),
            Proposal("transform.width", self.width, "likewise"),
            Proposal("trainer.batch_size", self.batch, self.why_batch),
        ]
        if config.trainer.model.type == "unet":
            edge, channels = min(self.height, self.width) // 2**self.depth, config.trainer.model.width * 2**self.depth
            reason = f"the deepest feature maps are {edge} pixels wide, and have {channels} channels"
            found.append(Proposal("trainer.model.depth", self.depth, reason))
        return found


def plan_input(fingerprint: Fingerprint, config: RunConfig, gigabytes: float) -> Input:
    """Returns `resize` if no class loses its objects by it and whole images are context, else `crop`."""
    resized = _resized_size(fingerprint, config, gigabytes)
    lost = _lost(fingerprint, config, *resized)
    height, width = fingerprint.median_size(config.transform.scale)
    window = _fitting(config, min(height, LARGEST), min(width, LARGEST), gigabytes, tiled=True)
    if lost and _band_fits(config, *window):
        why = f"resized to {resized[0]}×{resized[1]}, {lost}, so windows of the images at their own size are cut"
        size = f"the median image is {height:.0f}×{width:.0f}, and the largest window {LARGEST}×{LARGEST}"
        return _with_batch("crop", window, why, size, fingerprint, config, gigabytes)
    why = f"resized, the median object of each class stays at least {ENOUGH:g} pixels wide, or is hardly shrunk"
    if lost:
        why = f"{lost}, but a sliding window needs too much memory at trainer.max_pixels"
    size = "the median image is {:.0f}×{:.0f}, and the largest input {}×{}".format(
        *fingerprint.median_size(), LARGEST, LARGEST
    )
    return _with_batch("resize", resized, why, size, fingerprint, config, gigabytes)


def _with_batch(
    mode: str, size: tuple[int, int], why: str, why_size: str, fingerprint: Fingerprint, config: RunConfig, gb: float
) -> Input:
    height, width = size
    in_memory = max(1, batch_in_memory(config, height, width, gb))
    images = (
        fingerprint.pixels(config.transform.scale) / (height * width) if mode == "crop" else len(fingerprint.images)
    )
    covering = round(images * COVERED)
    smallest = SMALLEST_BATCH * config.trainer.workers
    batch = max(min(in_memory, MOST_BATCH, max(covering, LEAST_BATCH)), smallest)
    why_batch = (
        f"a step has memory ({gb:g} GB) for {in_memory}, {covering} are {COVERED:.0%} of the training pixels, and "
        f"{LEAST_BATCH} to {MOST_BATCH} suit batch normalisation"
    )
    if in_memory < LEAST_BATCH:
        why_size += f"; even so {gb:g} GB do not hold a batch of {LEAST_BATCH}: a smaller network would"
    tiles = _band_fits(config, height, width)
    return Input(mode, height, width, depth_at(config, height, width), batch, tiles, why, why_size, why_batch)


def _resized_size(fingerprint: Fingerprint, config: RunConfig, gigabytes: float) -> tuple[int, int]:
    height, width = fingerprint.median_size()
    factor = min(1.0, LARGEST / max(height, width))
    height, width = height * factor, width * factor
    if config.trainer.augmentation.quarter_turns:  # It needs a square.
        height = width = float(np.sqrt(height * width))
    return _fitting(config, height, width, gigabytes, tiled=config.trainer.inference.mode == "tile")


def _fitting(config: RunConfig, height: float, width: float, gigabytes: float, tiled: bool) -> tuple[int, int]:
    """Returns the largest size of this shape for which the memory holds the least batch; at last the smallest size."""
    while True:
        size = _rounded(config, height, width)
        fits = batch_in_memory(config, *size, gigabytes) >= LEAST_BATCH and (not tiled or _band_fits(config, *size))
        if fits or max(height, width) < _SMALLEST_SIDE:
            return size
        height, width = height * _STEP, width * _STEP


def _rounded(config: RunConfig, height: float, width: float) -> tuple[int, int]:
    """Returns the nearest size that the network can halve as often as it does."""
    height, width = max(height, _SMALLEST_SIDE), max(width, _SMALLEST_SIDE)
    size = _multiple(height, width, 2 ** depth_at(config, height, width))
    # A size that is rounded up may be large enough for one halving more.
    return _multiple(height, width, 2 ** depth_at(config, *size))


def _multiple(height: float, width: float, of: int) -> tuple[int, int]:
    rows, columns = (max(1, round(side / of)) * of for side in (height, width))
    return rows, columns


def _band_fits(config: RunConfig, height: int, width: int) -> bool:
    """Whether a sliding window of this size is allowed for the largest image that is served."""
    transform = TransformConfig(height=height, width=width)
    try:
        check_band(InferenceConfig(mode="tile"), transform, len(config.data.classes), config.trainer.max_pixels)
    except ValueError:
        return False
    return True


def _lost(fingerprint: Fingerprint, config: RunConfig, height: int, width: int) -> str:
    """Returns which class's median object resizing makes too small, in all images or in a slice; empty if none."""
    transform = TransformConfig(height=height, width=width, aspect=config.transform.aspect)
    for index, name in enumerate(fingerprint.classes):
        for where, images in _parts(fingerprint):
            own, resized = _median_widths(images, index, transform)
            if resized < min(ENOUGH, 0.9 * own):
                return f"the median object of class {name!r}{where} is {resized:.1f} pixels wide, instead of {own:.1f}"
    return ""


def _median_widths(images: list[ImageFacts], index: int, transform: TransformConfig) -> tuple[float, float]:
    """Returns the median width of a class's objects in the files and after resizing; infinite if there are none.

    Objects that are too small in the files already, such as single pixels of another class, do not count.
    """
    own, resized = [], []
    for image in images:
        widths = image.object_widths.get(index, np.zeros(0))
        widths = widths[widths >= SMALLEST]
        own.append(widths)
        resized.append(widths * resized_by(transform, image.height, image.width))
    if not sum(map(len, own)):
        return float("inf"), float("inf")
    return float(np.median(np.concatenate(own))), float(np.median(np.concatenate(resized)))


def _parts(fingerprint: Fingerprint) -> list[tuple[str, list[ImageFacts]]]:
    """Returns all images, and those of each slice value, with words for them."""
    columns = sorted({column for image in fingerprint.images for column in image.slices})
    parts: list[tuple[str, list[ImageFacts]]] = [("", list(fingerprint.images))]
    for column in columns:
        values = fingerprint.counts(column)
        if len(values) <= MOST_VALUES:
            parts += [
                (
                    f" where {column} = {value!r}",
                    [image for image in fingerprint.images if image.slices[column] == value],
                )
                for value in values
            ]
    return parts
