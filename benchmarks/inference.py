"""What the exported model takes for a picture: resized as a whole, and in tiles, beside the network alone.

    python -m benchmarks.inference [--sides 256 1024 4096] [--tile 96] [--width 16] [--depth 3] [--classes 4]

One JPEG a request through `serving_default`, from its bytes to the PNG mask; the medians of `repeat` requests after a
first one.  The network alone is what its passes over as many tiles take, in batches of the same size: the rest of the
tiled time goes into decoding, cutting, blending, deciding and encoding.  Weights are random: they do not change the
time.  The U-Net is the sample's unless told otherwise.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras as keras

from common import records
from common.compatibility import skip_autograph_for_keras
from components.trainer.architectures import UNet
from components.trainer.inference.config import InferenceConfig
from components.trainer.inference.grid import tile_starts
from components.trainer.inference.model import ServedModel
from components.trainer.models import build_model
from components.transform import features
from components.transform.config import TransformConfig
from components.transform.image_ops import decode_image, resize_image, to_bytes

WAYS = {
    "resize": InferenceConfig(),
    "resize, both flips": InferenceConfig(flips="both"),
    "tile": InferenceConfig(mode="tile"),
    "tile, overlap 0.5": InferenceConfig(mode="tile", overlap=0.5),
}


def main() -> None:
    """Prints the table."""
    arguments = _arguments()
    skip_autograph_for_keras()
    transform = TransformConfig(height=arguments.tile, width=arguments.tile)
    unet = UNet(width=arguments.width, depth=arguments.depth)
    network = build_model(unet, transform, arguments.classes, np.full(3, 120.0), np.full(3, 60.0))
    alone = tf.function(lambda image_BHWC: network(image_BHWC, training=False))
    print(f"U-Net {unet.width}×{unet.depth}, {transform.height}², {arguments.classes} classes", end=", ")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    names = [f"class {index}" for index in range(arguments.classes)]
    print("way                 side  tiles       ms  ms, network alone")
    for way, inference in WAYS.items():
        layer = transform_layer(transform)
        served = ServedModel([network], layer, transform, names, max(arguments.sides) ** 2, inference)
        for side in arguments.sides:
            request, tiles = tf.constant([picture(side)]), _tiles(side, arguments.tile, inference)
            taken = _milliseconds(lambda: served.serving_default(request), arguments.repeat)  # noqa: B023
            passes = _milliseconds(lambda: _pass(alone, tiles, inference, transform), arguments.repeat)  # noqa: B023
            print(f"{way:18} {side:5} {tiles:6} {taken:8.0f} {passes:18.0f}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 1024, 4096], help="sides of the square pictures")
    parser.add_argument("--tile", type=int, default=96, help="side of the model's input")
    parser.add_argument("--width", type=int, default=16, help="the U-Net's width")
    parser.add_argument("--depth", type=int, default=3, help="the U-Net's depth")
    parser.add_argument("--classes", type=int, default=4, help="number of classes")
    parser.add_argument("--repeat", type=int, default=3, help="requests that are timed")
    return parser.parse_args()


def transform_layer(transform: TransformConfig) -> keras.layers.Layer:
    """What the transform graph does to a picture, without the analyzers that need data."""

    def to_model(encoded: tf.Tensor) -> tf.Tensor:
        return to_bytes(resize_image(decode_image(encoded), transform.height, transform.width, transform.aspect))

    return lambda parsed: {features.IMAGE: tf.map_fn(to_model, parsed[records.IMAGE_ENCODED])}


def picture(side: int) -> bytes:
    """A JPEG of smooth colours: neither the best nor the worst case of its decoder."""
    coarse = np.random.default_rng(0).integers(0, 256, [side // 16, side // 16, 3]).astype(np.uint8)
    return tf.io.encode_jpeg(tf.cast(tf.image.resize(coarse, [side, side]), tf.uint8)).numpy()


def _tiles(side: int, tile: int, inference: InferenceConfig) -> int:
    if inference.mode == "resize":
        return 1
    return len(tile_starts(tf.constant(max(side, tile)), tile, inference.overlap)) ** 2


def _pass(
    network: tf.types.experimental.GenericFunction, tiles: int, config: InferenceConfig, size: TransformConfig
) -> None:
    views = {"none": 1, "horizontal": 2, "both": 4}[config.flips]
    for first in range(0, tiles, config.batch):
        batch = tf.zeros([min(config.batch, tiles - first), size.height, size.width, 3])
        for _ in range(views):
            network(batch)


def _milliseconds(call: Callable[[], object], repeat: int) -> float:
    call()
    taken = []
    for _ in range(repeat):
        begun = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - begun))
    return statistics.median(taken)


if __name__ == "__main__":
    main()
