"""The formats of a version: size, time of an image, and how far they are from the SavedModel.

    python -m benchmarks.formats WORKSPACE [--pictures 32] [--calibration 100] [--repeat 50] [--threads 1] [--parts]
        [--markdown]

WORKSPACE is that of a local run; it is only read.  The served version's weights are exported again with the signatures
of this version of segpipe, so that runs of older ones can be measured, and converted to every format.  Time is the
median of one image, or tile, of the model's input size, in this process: the SavedModel's graph for such pixels against
the other runtimes'.  All of them get the same number of threads, and are timed in turn, so that other work on the
machine slows all of them; the ratio to the SavedModel is what counts.

With `--parts` the table shows what `tflite_int8` would lose if other parts of the graph were quantised too: the
operators before the first convolution (normalisation), or those after the last one (softmax, argmax).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.seeds.table import print_table
from registry.manifest import Manifest
from registry.store import Registry

if TYPE_CHECKING:
    from components.exporter.comparison import Calibration, Comparison
    from components.exporter.formats import Format, Predict
    from components.exporter.samples import InputSettings, LabelledImage
    from components.exporter.saved_model import SavedModel

HEAD = ("format", "MB", "ms", "of the SavedModel's ms")
COMPARED = ("pixels, worst image", "all pixels", "mean IoU", "SavedModel's", "loss")
_WARM_UP = 3


class Setting(NamedTuple):
    """The model, and the images that the formats are compared on."""

    model: SavedModel
    test: Iterable[LabelledImage]
    calibration: Calibration
    settings: InputSettings
    scratch: Path

    def compared(self, form: Format, predict: Predict) -> Comparison:
        """Compares a format with the SavedModel."""
        from components.exporter.comparison import compare

        return compare(form, predict, self.model, self.test, self.settings)


def main() -> None:
    """Prints the table."""
    arguments = _arguments()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    workspace = Path(arguments.workspace)
    registry = Registry(str(workspace / "registry"))
    manifest = registry.served_manifest()
    assert manifest is not None, f"{workspace} serves no version"
    _limit_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as scratch:
        _export_again(workspace, registry, manifest, Path(scratch))
        setting = _setting(workspace, manifest, Path(scratch), arguments)
        cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
        print(f"{manifest.model_name}, version {manifest.version}: {arguments.threads} threads, ", end="")
        print(f"{cores} cores, load {load:.1f}, {arguments.repeat} predictions", flush=True)
        rows = _part_rows(setting) if arguments.parts else _format_rows(setting, arguments)
        print_table(rows, arguments.markdown)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workspace", help="workspace of a local run")
    parser.add_argument("--pictures", type=int, default=32, help="number of test images")
    parser.add_argument("--calibration", type=int, default=100, help="number of training images for 8 bits")
    parser.add_argument("--repeat", type=int, default=50, help="predictions that are timed")
    parser.add_argument("--threads", type=int, default=1, help="threads of each runtime")
    parser.add_argument("--parts", action="store_true", help="quantise other parts of the graph instead")
    parser.add_argument("--markdown", action="store_true", help="print rows for docs/results.md")
    return parser.parse_args()


def _limit_threads(threads: int) -> None:
    """Limits TensorFlow's threads, which it starts with its first operation."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)


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


def _setting(workspace: Path, manifest: Manifest, scratch: Path, arguments: argparse.Namespace) -> Setting:
    from components.exporter.comparison import Calibration
    from components.exporter.samples import draw_images, first_images, settings_of_run
    from components.exporter.saved_model import SavedModel

    examples = _newest(workspace, "ImageMaskExampleGen/examples")
    settings, model = settings_of_run(manifest.config), SavedModel(str(scratch / "model"))
    drawn = draw_images([str(examples / "Split-train" / "*")], arguments.calibration, seed=1)
    test = first_images([str(examples / "Split-test" / "*")], arguments.pictures)
    return Setting(model, test, Calibration(model, drawn, settings), settings, scratch)


def _format_rows(setting: Setting, arguments: argparse.Namespace) -> list[tuple[str, ...]]:
    from components.exporter.comparison import middle_input
    from components.exporter.exporting import folder_bytes
    from components.exporter.formats import FORMATS

    predict: dict[str, Predict] = {"saved_model": setting.model.mask_of_inputs}
    sizes = {"saved_model": folder_bytes(str(setting.scratch / "model"))}
    for form in FORMATS.values():
        file = setting.scratch / f"{form.name}-{form.file}"
        form.convert(setting.model, file, setting.calibration)
        sizes[form.name] = file.stat().st_size
        predict[form.name] = form.load(file, arguments.threads)
    one = middle_input(setting.model, next(iter(setting.test)), setting.settings)
    milliseconds = _median_ms({name: lambda each=each: each(one) for name, each in predict.items()}, arguments.repeat)
    rows = [(*HEAD, *COMPARED)]
    for name, size in sizes.items():
        ratio = milliseconds[name] / milliseconds["saved_model"]
        form_cells = (name, f"{size / 1e6:.2f}", f"{milliseconds[name]:.1f}", f"{ratio:.2f}")
        rows.append((*form_cells, *_cells(setting.compared(FORMATS[name], predict[name]) if name in FORMATS else None)))
    return rows


def _part_rows(setting: Setting) -> list[tuple[str, ...]]:
    """Compares files of 8 bits that keep other operators in float32, and one with weights of 8 bits only."""
    import tensorflow as tf

    from components.exporter.formats import FORMATS
    from components.exporter.tflite_format import after_the_network, before_the_network, converter, quantized

    weights = converter(setting.model)
    weights.optimizations = [tf.lite.Optimize.DEFAULT]  # Without calibration: the dynamic range.

    def eight_bits(in_float32: Callable[[Any], Any]) -> bytes:
        return quantized(setting.model, setting.calibration, in_float32)

    parts: Mapping[str, Callable[[], bytes]] = {
        "the whole graph": lambda: eight_bits(lambda _: set()),
        "all but the operators after the last convolution": lambda: eight_bits(after_the_network),
        "all but those before the first convolution": lambda: eight_bits(before_the_network),
        "all but both: tflite_int8": lambda: eight_bits(
            lambda graph: before_the_network(graph) | after_the_network(graph)
        ),
        "weights alone": weights.convert,
    }
    form, rows = FORMATS["tflite_int8"], [("8 bits for", "MB", *COMPARED)]
    for name, make in parts.items():
        file = setting.scratch / "part.tflite"
        file.write_bytes(make())
        rows.append((name, f"{file.stat().st_size / 1e6:.2f}", *_cells(setting.compared(form, form.load(file)))))
    return rows


def _cells(compared: Comparison | None) -> tuple[str, ...]:
    """Returns the columns `COMPARED`; none of the SavedModel itself."""
    from components.exporter.exporting import iou_loss

    if compared is None:
        return ("",) * len(COMPARED)
    loss = iou_loss(compared)
    ratios = (f"{compared.agreements[compared.worst]:.2%}", f"{compared.mean_agreement:.2%}")
    if loss is None:
        return (*ratios, "", "", "")
    return (*ratios, f"{compared.mean_iou:.4f}", f"{compared.reference_mean_iou:.4f}", f"{round(loss, 4) + 0:.4f}")


def _newest(workspace: Path, output: str) -> Path:
    """Returns the newest folder of a step's output."""
    return max((workspace / "artifacts" / output).iterdir(), key=lambda folder: int(folder.name))


def _median_ms(predictions: Mapping[str, Callable[[], object]], repeat: int) -> dict[str, float]:
    """Times the predictions in turn; returns the median of each."""
    seconds: dict[str, list[float]] = {name: [] for name in predictions}
    for turn in range(_WARM_UP + repeat):
        for name, predict in predictions.items():
            begin = time.perf_counter()
            predict()
            if turn >= _WARM_UP:
                seconds[name].append(time.perf_counter() - begin)
    return {name: 1000 * statistics.median(taken) for name, taken in seconds.items()}


if __name__ == "__main__":
    main()
