"""Seconds and memory of a large COCO file: listing its pairs, and drawing masks.

    python -m benchmarks.annotations [--images 100000] [--each 10] [--corners 20] [--drawn 500]

The file has `--each` polygons of `--corners` corners an image; the images are names of one PNG of 640×480 (hard links).
Listing is what `segpipe check` and a run do first: parse the file, look up the images, pair.  CPU time is that of the
process, so that other programs on the machine hardly change it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from benchmarks.processes import add_side, peak_bytes, report, run_side

WIDTH, HEIGHT = 640, 480
_FILE = "annotations/instances.json"
_IN_A_FOLDER = 10_000


def main() -> None:
    """Prints what was measured."""
    arguments = _arguments()
    if arguments.side:
        report({"write": _write, "idle": _idle, "read": _read}[arguments.side](arguments))
        return
    with tempfile.TemporaryDirectory() as folder:
        where = ("--folder", folder)
        size = run_side("benchmarks.annotations", "write", *where)["bytes"]
        idle = run_side("benchmarks.annotations", "idle", *where)["peak"]
        found = run_side("benchmarks.annotations", "read", *where)
    number = arguments.images * arguments.each
    print(f"{arguments.images} images, {number} annotations, {size / 1e6:.0f} MB of JSON")
    print(f"listing: {found['cpu']:.1f} s of CPU time, {found['wall']:.1f} s in all, {found['pairs']} pairs")
    print(f"memory: {found['peak'] / 1e9:.2f} GB at most, {(found['peak'] - idle) / size:.1f} × the file above idle")
    print(f"afterwards: {found['after'] / 1e9:.2f} GB; imports alone {idle / 1e9:.2f} GB")
    print(f"drawing: {found['drawing'] * 1e3:.2f} ms of CPU time a mask of {arguments.each} polygons")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100_000, help="images in the file")
    parser.add_argument("--each", type=int, default=10, help="annotations of an image")
    parser.add_argument("--corners", type=int, default=20, help="corners of a polygon")
    parser.add_argument("--drawn", type=int, default=500, help="masks that are drawn")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    add_side(parser, ("write", "idle", "read"))
    return parser.parse_args()


def _idle(_: argparse.Namespace) -> dict[str, float]:
    """Peak of a process that imports the same and reads nothing."""
    import components.example_gen.annotations.open_annotated  # noqa: F401

    return {"peak": peak_bytes()}


def _read(arguments: argparse.Namespace) -> dict[str, float]:
    from components.example_gen.annotations.config import CocoSource
    from components.example_gen.sources import open_source

    source = open_source(CocoSource(root=str(arguments.folder)), ("background", "cat"))
    began, began_cpu = time.monotonic(), time.process_time()
    pairs = source.listing().pairs
    found = {"wall": time.monotonic() - began, "cpu": time.process_time() - began_cpu, "pairs": len(pairs)}
    found["after"] = _resident_bytes()
    chosen = pairs[:: max(1, len(pairs) // arguments.drawn)][: arguments.drawn]
    began_cpu = time.process_time()
    for opened in source.open(chosen, 10**9):
        opened.mask()
    found["drawing"] = (time.process_time() - began_cpu) / len(chosen)
    return found | {"peak": peak_bytes()}


def _resident_bytes() -> int:
    """The memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _write(arguments: argparse.Namespace) -> dict[str, int]:
    """Writes file and images; the annotations one by one, because all of them would take gigabytes."""
    import numpy as np
    from PIL import Image

    root: Path = arguments.folder
    (root / "annotations").mkdir()
    Image.fromarray(np.zeros([HEIGHT, WIDTH], np.uint8)).save(root / "one.png")
    names = [f"images/{number // _IN_A_FOLDER}/{number:06d}.png" for number in range(arguments.images)]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        os.link(root / "one.png", root / name)
    (root / "one.png").unlink()
    images = [
        {"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT} for number, name in enumerate(names, 1)
    ]
    random = np.random.default_rng(0)
    angle_N = np.linspace(0, 2 * np.pi, arguments.corners, endpoint=False)
    ring_N2 = np.stack([np.cos(angle_N), np.sin(angle_N)], axis=-1)
    with (root / _FILE).open("w") as file:
        file.write(f'{{"images": {json.dumps(images)}, "categories": [{{"id": 1, "name": "cat"}}], "annotations": [')
        for number in range(arguments.images * arguments.each):
            middle_2, radius = random.uniform([60, 60], [WIDTH - 60, HEIGHT - 60]), random.uniform(5, 60)
            outline = np.round(middle_2 + radius * ring_N2, 2).ravel().tolist()
            annotation = {"id": number, "image_id": 1 + number // arguments.each, "category_id": 1, "iscrowd": 0}
            file.write(("," if number else "") + json.dumps(annotation | {"segmentation": [outline]}))
        file.write("]}")
    return {"bytes": (root / _FILE).stat().st_size}


if __name__ == "__main__":
    main()
