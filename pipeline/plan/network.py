"""Depth and memory of the network at an input size, as nnU-Net's planner estimates them."""

from __future__ import annotations

from pipeline.config.run_config import RunConfig

LEAST_EDGE = 4
"""Least height and width of the deepest feature maps, as in nnU-Net."""
MOST_CHANNELS = 1024
"""Channels of the deepest level of the U-Net as published; ours doubles them at each level."""
_DEEPEST = 8
_ENCODER_WIDTH = 32
"""Channels that stand for an encoder's network: those of nnU-Net's own first level."""
_BYTES = 8.0
"""Bytes that training needs for each element of the feature maps of an image, in mixed precision: nnU-Net's reference
of 85 million elements and a batch of 12 fills 8 GB."""


def depth_at(config: RunConfig, height: float, width: float) -> int:
    """Returns the number of downsamplings for an input size; an encoder's is fixed."""
    model = config.trainer.model
    if model.type != "unet":
        return model.num_downsamples
    depth = 1
    while (
        depth < _DEEPEST
        and min(height, width) >= LEAST_EDGE * 2 ** (depth + 1)
        and model.width * 2 ** (depth + 1) <= MOST_CHANNELS
    ):
        depth += 1
    return depth


def feature_map_elements(height: int, width: int, channels: int, depth: int) -> float:
    """Returns the size of all convolutions' outputs for one image, in numbers: two down and three up at each level."""
    level = [height * width * channels / 2**index for index in range(depth + 1)]
    return 5 * sum(level[:-1]) + 2 * level[-1]


def batch_in_memory(config: RunConfig, height: int, width: int, gigabytes: float) -> int:
    """Returns the number of images of this size that a training step has memory for."""
    model = config.trainer.model
    channels = model.width if model.type == "unet" else _ENCODER_WIDTH
    elements = feature_map_elements(height, width, channels, depth_at(config, height, width))
    size = _BYTES if config.trainer.precision in ("mixed_float16", "mixed_bfloat16") else 2 * _BYTES
    return int(gigabytes * 1e9 / (elements * size))
