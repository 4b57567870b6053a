"""Memory and speed of the trainer's input on images of 25 megapixels, from which it cuts windows.

    python -m benchmarks.large_images [--images 6] [--side-length 5000] [--window 256] [--windows 240] [--rounds 3]

Compact records of made-up images are written once.  Sides: records that fit into `trainer.cache_bytes` and are held in
memory, and records that are read anew in each epoch; each in a process of its own, by the trainer's own functions.  An
epoch has `--windows` windows, a quarter of them centred on a rare class, at a scale of 0.67 to 1.5.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import add_side, peak_bytes, report, run_side

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

CACHE_BYTES = {"held": 10**10, "streamed": 2 * 10**8}
"""Side → `trainer.cache_bytes`."""
CLASSES = 3
_GRAIN = 10  # Pixels of one random value: what real images compress to.


def main() -> None:
    """Prints a line a side."""
    arguments = _arguments()
    if arguments.side:
        report(_measure(arguments))
        return
    megabytes = arguments.side_length**2 * 4 / 1e6
    print(
        f"{arguments.images} images of {arguments.side_length}², {megabytes:.1f} MB each with the mask, as raw pixels"
    )
    print("side        windows/s   CPU ms/window   peak memory")
    with tempfile.TemporaryDirectory() as folder:
        run_side("benchmarks.large_images", "held", "--write", "--folder", folder)
        for side in CACHE_BYTES:
            found = run_side("benchmarks.large_images", side, "--folder", folder)
            print(f"{side:10} {found['rate']:10.1f} {found['cpu'] * 1e3:15.1f} {found['peak'] / 1e9:10.2f} GB")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=6, help="training images")
    parser.add_argument("--side-length", type=int, default=5000, help="height and width of an image")
    parser.add_argument("--window", type=int, default=256, help="height and width of a window")
    parser.add_argument("--windows", type=int, default=240, help="windows in an epoch")
    parser.add_argument("--rounds", type=int, default=3, help="epochs, after a first one that is not counted")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    add_side(parser, tuple(CACHE_BYTES))
    return parser.parse_args()


def _measure(arguments: argparse.Namespace) -> dict[str, float]:
    if arguments.write:
        _write_records(arguments)
        return {}
    from components.trainer.config import TrainerConfig
    from components.trainer.windows.config import WindowsConfig
    from components.trainer.windows.dataset import training_windows
    from components.trainer.windows.source import read_native
    from components.transform.config import TransformConfig

    windows = WindowsConfig(per_epoch=arguments.windows, draw_by="area", foreground=0.25, zoom=(0.67, 1.5))
    config = TrainerConfig(batch_size=8, windows=windows, cache_bytes=CACHE_BYTES[arguments.side])
    files = sorted(map(str, arguments.folder.iterdir()))
    records = read_native(files, CLASSES, config.cache_bytes)
    transform = TransformConfig(mode="crop", height=arguments.window, width=arguments.window, normalize="picture")
    epoch = training_windows(records, config, transform, seed=1)
    seconds, cpu = [], []
    for _ in range(arguments.rounds + 1):
        began, began_cpu = time.monotonic(), time.process_time()
        for _batch in epoch:
            pass
        seconds.append(time.monotonic() - began)
        cpu.append(time.process_time() - began_cpu)
    return {
        "rate": arguments.windows / statistics.median(seconds[1:]),
        "cpu": statistics.median(cpu[1:]) / arguments.windows,
        "peak": peak_bytes(),
    }


def _write_records(arguments: argparse.Namespace) -> None:
    """Writes compact records in two files, as Transform does."""
    import numpy as np
    import tensorflow as tf

    from components.transform import features

    side, random = arguments.side_length, np.random.default_rng(0)
    options = tf.io.TFRecordOptions(compression_type=features.COMPRESSION, compression_level=1)
    for shard in range(2):
        with tf.io.TFRecordWriter(str(arguments.folder / f"records-{shard}.gz"), options) as writer:
            for number in range(shard, arguments.images, 2):
                coarse_HWC = random.integers(0, 255, [side // _GRAIN, side // _GRAIN, 3], np.uint8)
                image_HWC = coarse_HWC.repeat(_GRAIN, axis=0).repeat(_GRAIN, axis=1)
                mask_HW = (coarse_HWC[..., 0] // 100).repeat(_GRAIN, axis=0).repeat(_GRAIN, axis=1)
                counts_C = np.bincount(mask_HW.ravel(), minlength=CLASSES)
                writer.write(_record(f"image {number}", image_HWC, mask_HW, counts_C))


def _record(name: str, image_HWC: np.ndarray, mask_HW: np.ndarray, counts_C: np.ndarray) -> bytes:
    import tensorflow as tf

    from components.transform import features

    def numbers(values: list[int]) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def text(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def reals(values: list[float]) -> tf.train.Feature:
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    feature = {
        features.ID: text(name.encode()),
        features.IMAGE: text(image_HWC.tobytes()),
        features.MASK: text(mask_HW.tobytes()),
        features.HEIGHT: numbers([mask_HW.shape[0]]),
        features.WIDTH: numbers([mask_HW.shape[1]]),
        features.PICTURE_MEAN: reals(image_HWC.mean(axis=(0, 1)).tolist()),
        features.PICTURE_STD: reals(image_HWC.std(axis=(0, 1)).tolist()),
        features.CLASS_PIXELS: numbers(counts_C.tolist()),
        features.SLICE: text(b""),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


if __name__ == "__main__":
    main()
