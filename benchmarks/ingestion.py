"""Ingestion on Beam beside a plain Python loop that makes the same records of the same pairs.

    python -m benchmarks.ingestion FOLDER --classes 2 [--manifest index.csv] [--repeat 3]

FOLDER holds `images/` and `masks/`, or a manifest.  Both sides list the pairs, decode, canonicalise and measure them
with the same functions and write TFRecords; the loop does so one pair after the other, in one file, without splits by
content, leak check or account.  Each run is a process of its own, imports not counted; the table shows medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import add_side, peak_bytes, report, run_in_turn

if TYPE_CHECKING:
    from components.example_gen.config import DataConfig

SIDES = ("beam", "loop")


def main() -> None:
    """Runs both sides in turn and prints the table, or one side if so told by the parent process."""
    arguments = _arguments()
    if arguments.side is not None:
        report(_measure(arguments))
        return
    runs = run_in_turn("benchmarks.ingestion", SIDES, arguments.repeat)
    print(f"{arguments.folder}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {arguments.repeat} runs a side")
    print("side   pairs  pairs/s  slowest  fastest  CPU s  peak MB  imports MB")
    for side in SIDES:
        print(_row(side, runs[side]))


def _row(side: str, runs: list[dict[str, float]]) -> str:
    rates = [run["pairs"] / run["seconds"] for run in runs]
    cpu, peak, before = (statistics.median(run[key] for run in runs) for key in ("cpu", "peak", "before"))
    return (
        f"{side:5} {runs[0]['pairs']:6.0f} {statistics.median(rates):8.1f} {min(rates):8.1f} {max(rates):8.1f} "
        f"{cpu:6.2f} {peak / 1e6:8.0f} {before / 1e6:11.0f}"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="folder of the data set")
    parser.add_argument("--manifest", help="manifest in it; without one, images/ and masks/ are paired by name")
    parser.add_argument("--classes", type=int, default=2, help="number of classes of the index masks")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side")
    add_side(parser, SIDES)
    return parser.parse_args()


def _measure(arguments: argparse.Namespace) -> dict[str, float]:
    from components.example_gen.config import DataConfig, FoldersSource, ManifestSource

    source: FoldersSource | ManifestSource
    if arguments.manifest:
        source = ManifestSource(root=arguments.folder, file=arguments.manifest)
    else:
        source = FoldersSource(root=arguments.folder)
    config = DataConfig(source=source, classes=tuple(f"class {i}" for i in range(arguments.classes)))
    run: Callable[[], int] = (_beam if arguments.side == "beam" else plain_loop)(config)
    before = peak_bytes()
    start, cpu = time.perf_counter(), time.process_time()
    pairs = run()
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {"pairs": pairs, "seconds": seconds, "cpu": cpu, "peak": peak_bytes(), "before": before}


def _beam(config: DataConfig) -> Callable[[], int]:
    import apache_beam as beam
    from apache_beam.runners.portability.fn_api_runner import fn_runner  # noqa: F401 – else imported while measured.

    from components.example_gen.ingestion import Ingestion
    from components.example_gen.pipeline import Destination, ingest

    def run() -> int:
        with tempfile.TemporaryDirectory() as folder:
            destination = Destination(f"{folder}/examples", f"{folder}/quarantine")
            destination.prepare()
            ingestion = Ingestion(config, seed=1)
            listing = ingestion.listing()
            with beam.Pipeline(runner="FnApiRunner") as pipeline:
                ingest(pipeline, ingestion, listing, config.classes, destination)
            summary = json.loads(Path(destination.quarantine, "summary.json").read_text())
        return sum(summary["used"].values())

    return run


def plain_loop(config: DataConfig) -> Callable[[], int]:
    """Returns a loop that ingests the pairs, one after the other, and returns their number."""
    import tensorflow as tf

    from components.example_gen.features import bucket_slices, build_example, measure
    from components.example_gen.images import canonical_image
    from components.example_gen.label_map import label_map
    from components.example_gen.masks import canonical_mask
    from components.example_gen.rejection import RejectionError
    from components.example_gen.sources import open_source

    def run() -> int:
        source, meaning, limits = open_source(config.source), label_map(config.labels, config.classes), config.limits
        used = 0
        with tempfile.TemporaryDirectory() as folder, tf.io.TFRecordWriter(f"{folder}/records") as writer:
            for opened in source.open(source.listing().pairs, limits.max_bytes):
                try:
                    image = canonical_image(opened.image(), limits.max_pixels)
                    mask = canonical_mask(
                        opened.mask(), image, meaning, limits.max_pixels, config.max_aspect_difference
                    )
                except RejectionError:
                    continue
                measures = measure(image.image_HWC, mask.mask_HW, len(config.classes))
                slices = opened.pair.slices | bucket_slices(config.buckets, measures)
                example = build_example(opened.pair.id, image, mask, measures, config.classes, slices)
                writer.write(example.SerializeToString(deterministic=True))
                used += 1
        return used

    return run


if __name__ == "__main__":
    main()
