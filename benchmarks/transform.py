"""The Transform step beside a plain Python loop that makes the same records of the same pairs.

    python -m benchmarks.transform CONFIG [--set KEY=VALUE …] [--repeat 3]

Ours is the pipeline's own step, from the gate to the written records, with its analyzers and its serving graph.  The
loop reads the same ingested records, decodes and resizes with Pillow, computes the same statistics in a first pass,
and writes raw bytes as gzipped TFRecords; it makes no graph that could serve.  Each run is a process of its own,
imports not counted; the table shows medians.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.processes import add_side, peak_bytes, report, run_in_turn

if TYPE_CHECKING:
    from pipeline.config.run_config import RunConfig

SIDES = ("tft", "loop")


def main() -> None:
    """Runs both sides in turn and prints the table, or one side if so told by the parent process."""
    arguments = _arguments()
    if arguments.side is not None:
        report(_measure(arguments))
        return
    runs = run_in_turn("benchmarks.transform", SIDES, arguments.repeat)
    print(f"{arguments.config}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {arguments.repeat} runs a side")
    print("side  pictures  seconds  pictures/s  bytes a record  of raw uint8  peak MB")
    for side in SIDES:
        seconds, size, raw, peak = (
            statistics.median(run[key] for run in runs[side])
            for key in ("seconds", "record_bytes", "raw_bytes", "peak")
        )
        pictures = runs[side][0]["pictures"]
        print(
            f"{side:5} {pictures:8.0f} {seconds:8.1f} {pictures / seconds:11.1f} {size:15.0f} {size / raw:13.2f} "
            f"{peak / 1e6:8.0f}"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", help="configuration of the use case")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="change a key, as segpipe does")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side")
    add_side(parser, SIDES)
    return parser.parse_args()


def _measure(arguments: argparse.Namespace) -> dict[str, float]:
    from benchmarks.steps import run_until
    from pipeline.config.run_config import load_config

    with tempfile.TemporaryDirectory() as workspace:
        config = load_config(arguments.config, [*arguments.overrides, f"workspace={workspace}"])
        seconds, outputs = run_until(config, "Transform")
        if arguments.side == "loop":
            seconds, record_bytes = plain_loop(
                config, outputs["ImageMaskExampleGen"]["examples"], Path(workspace) / "loop"
            )
        else:
            record_bytes = _record_sizes(outputs["Transform"]["transformed_examples"])
    return {
        "seconds": seconds,
        "pictures": len(record_bytes),
        "record_bytes": statistics.mean(record_bytes),
        "raw_bytes": config.transform.height * config.transform.width * 4,
        "peak": peak_bytes(),
    }


def _record_sizes(folder: str) -> list[int]:
    import tensorflow as tf

    files = [str(path) for path in Path(folder).glob("*/*.gz")]
    return [len(record.numpy()) for record in tf.data.TFRecordDataset(files, "GZIP")]


def plain_loop(config: RunConfig, examples: str, out: Path) -> tuple[float, list[int]]:
    """Two passes, as the analyzers need: statistics over train, then records of all splits."""
    import numpy as np
    import tensorflow as tf

    began = time.monotonic()
    total, squares, classes, pixels = np.zeros(3), np.zeros(3), np.zeros(256, np.int64), 0
    for _, image_HWC, mask_HW in _pictures(config, examples, "train"):
        flat = image_HWC.reshape(-1, 3).astype(np.float64)
        total, squares, pixels = total + flat.sum(0), squares + (flat**2).sum(0), pixels + len(flat)
        classes += np.bincount(mask_HW.ravel(), minlength=256)
    mean = total / pixels
    constants = {"channel_mean": mean, "channel_std": np.sqrt(squares / pixels - mean**2), "class_weight": classes}
    sizes = []
    for split in ("train", "eval", "test"):
        (out / split).mkdir(parents=True)
        with tf.io.TFRecordWriter(str(out / split / "records.gz"), "GZIP") as writer:
            for name, image_HWC, mask_HW in _pictures(config, examples, split):
                record = _record(name, image_HWC, mask_HW, constants, len(config.data.classes))
                sizes.append(len(record))
                writer.write(record)
    return time.monotonic() - began, sizes


def _pictures(config: RunConfig, examples: str, split: str) -> Any:
    import numpy as np
    import tensorflow as tf
    from PIL import Image

    size = (config.transform.width, config.transform.height)
    files = [str(path) for path in Path(examples, f"Split-{split}").iterdir()]
    for serialized in tf.data.TFRecordDataset(files).as_numpy_iterator():
        feature = tf.train.Example.FromString(serialized).features.feature
        image = Image.open(io.BytesIO(feature["image/encoded"].bytes_list.value[0])).convert("RGB")
        mask = Image.open(io.BytesIO(feature["mask/encoded"].bytes_list.value[0]))
        yield (
            feature["image/id"].bytes_list.value[0],
            np.asarray(image.resize(size, Image.Resampling.BILINEAR)),
            np.asarray(mask.resize(size, Image.Resampling.NEAREST)),
        )


def _record(name: bytes, image_HWC: Any, mask_HW: Any, constants: dict[str, Any], num_classes: int) -> bytes:
    import tensorflow as tf

    def text(value: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    numbers = {key: value[: num_classes if key == "class_weight" else 3] for key, value in constants.items()}
    feature = {"image": text(image_HWC.tobytes()), "mask": text(mask_HW.tobytes()), "id": text(name)}
    feature |= {k: tf.train.Feature(float_list=tf.train.FloatList(value=v)) for k, v in numbers.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


if __name__ == "__main__":
    main()
