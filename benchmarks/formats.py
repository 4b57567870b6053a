"""The formats of a version: size, time of an image, and how far they are from the SavedModel.

    python -m benchmarks.formats WORKSPACE [--pictures 32] [--calibration 100] [--repeat 50]

WORKSPACE is that of a local run; it is only read.  The served version's weights are exported again with the signatures
of this version of segpipe, so that runs of older ones can be measured, and converted to every format.  Time is the
median of one image, or tile, of the model's input size, in this process: the SavedModel's graph for such pixels against
the other runtimes'; start it with `taskset -c 0` for one core, which all of them keep to.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from registry.manifest import Manifest
from registry.store import Registry


def main() -> None:
    """Prints the table."""
    arguments = _arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    workspace = Path(arguments.workspace)
    registry = Registry(str(workspace / "registry"))
    manifest = registry.served_manifest()
    assert manifest is not None, f"{workspace} serves no version"
    with tempfile.TemporaryDirectory() as scratch:
        _export_again(workspace, registry, manifest, Path(scratch))
        cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
        print(f"{workspace}, version {manifest.version}, {cores} cores, load {load:.1f}")
        print("format         MB     ms  worst image  all pixels  mean IoU")
        for row in _rows(workspace, manifest, Path(scratch), arguments):
            print(row, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", help="workspace of a local run")
    parser.add_argument("--pictures", type=int, default=32, help="number of test images")
    parser.add_argument("--calibration", type=int, default=100, help="number of training images for 8 bits")
    parser.add_argument("--repeat", type=int, default=50, help="predictions that are timed")
    return parser.parse_args()


def _export_again(workspace: Path, registry: Registry, manifest: Manifest, scratch: Path) -> None:
    """Exports the version's weights into `scratch/model`, by the code that averages the folds' models."""
    from common.compatibility import skip_autograph_for_keras
    from components.ensemble.averaging import MemberSettings, average
    from components.trainer.config import TrainerConfig
    from components.trainer.export import export
    from components.transform.config import TransformConfig
    from components.transform.pixel_format import RGB

    skip_autograph_for_keras()
    registry.fetch(manifest.version, str(scratch / "pushed"))
    config: dict[str, Any] = manifest.config
    settings = MemberSettings(
        TrainerConfig.model_validate(config["trainer"]),
        TransformConfig.model_validate(config["transform"]),
        RGB,
        tuple(config["data"]["classes"]),
    )
    records = sorted(map(str, _newest(workspace, "Transform/transformed_examples").glob("Split-train/*")))
    graph = _newest(workspace, "Transform/transform_graph")
    export(average(settings, [str(scratch / "pushed")], records, str(graph)), str(scratch / "model"))


def _rows(workspace: Path, manifest: Manifest, scratch: Path, arguments: argparse.Namespace) -> Iterator[str]:
    from components.exporter.comparison import calibration_inputs, compare
    from components.exporter.exporting import folder_bytes
    from components.exporter.formats import FORMATS
    from components.exporter.samples import draw_images, read_test_images, settings_of_run
    from components.exporter.saved_model import SavedModel

    examples = _newest(workspace, "ImageMaskExampleGen/examples")
    test = read_test_images([str(examples / "Split-test" / "*")], arguments.pictures)
    calibration = draw_images([str(examples / "Split-train" / "*")], arguments.calibration, seed=1)
    settings = settings_of_run(manifest.config)
    model = SavedModel(str(scratch / "model"))
    (one,) = calibration_inputs(model, test[:1], settings)
    saved_model_ms = _median_ms(lambda: model.mask_of_inputs(one), arguments.repeat)
    size = folder_bytes(str(scratch / "model"))
    yield f"{'saved_model':12} {size / 1e6:5.1f} {saved_model_ms:6.1f}"
    for form in FORMATS.values():
        file = scratch / f"{form.name}-{form.file}"
        form.convert(model, file, calibration_inputs(model, calibration, settings))
        predict = form.load(file)
        compared = compare(form, predict, model, test, settings)
        milliseconds = _median_ms(lambda predict=predict: predict(one), arguments.repeat)  # type: ignore[misc]
        yield (
            f"{form.name:12} {file.stat().st_size / 1e6:5.1f} {milliseconds:6.1f} "
            f"{compared.agreements[compared.worst]:12.4%} {compared.mean_agreement:11.4%} "
            f"{compared.mean_iou:9.4f} (SavedModel {compared.reference_mean_iou:.4f})"
        )


def _newest(workspace: Path, output: str) -> Path:
    """Returns the newest folder of a step's output."""
    return max((workspace / "artifacts" / output).iterdir(), key=lambda folder: int(folder.name))


def _median_ms(predict: Callable[[], object], repeat: int) -> float:
    for _ in range(3):
        predict()
    seconds = []
    for _ in range(repeat):
        begin = time.perf_counter()
        predict()
        seconds.append(time.perf_counter() - begin)
    return 1000 * statistics.median(seconds)


if __name__ == "__main__":
    main()
