"""The four published recipes and segpipe, compared in one run: images a second, memory, mean IoU by epochs and by time.

    python -m benchmarks.seeds SEED [--data FOLDER] [--epochs 10] [--our-epochs N] [--steps N] [--rounds 1]
                               [--set KEY=VALUE …] [--variant KEY=VALUE …] [--curve] [--markdown]

SEED is one of the shipped configurations; `benchmarks/seeds/recipes/` says what its recipe does.  The pipeline's own
steps ingest the images and make compact records; the recipe gets the same images as files.  Both sides train on the
same split, at the same size and batch, with the architecture that `--set` may make smaller; ours is the Trainer
itself with the shipped configuration, the recipe has its own input pipeline, augmentation, loss and step size.  An
epoch of clothing's recipe has eight times the images, as it adds seven copies of each: `--our-epochs` gives ours
other epochs than `--epochs` gives the recipe, for an equal number of images or an equal time.  Neither has ImageNet's
weights, unless `--weights` names a file for a MobileNet of α 0.75, which then takes the place of clothing's
DenseNet121 on both sides.  `--variant` adds ours once more, with further keys changed.

Each training is a process of its own, the sides taking turns; a round has its own seed for all that is random but the
split.  Images a second are those of whole epochs, the input pipeline included: the median over the epochs after the
first of a phase, in which graphs are traced; with two phases both are given, encoder frozen and trained.  `--steps`
keeps only so many batches of training images, the same ones on all sides.  Both are judged by one function, on the
masks at the model's size: ours by its best epoch on eval, as it would be exported, the recipe by its last one, as in
its source. The test split has chosen nothing on either side.

Ours has the environment that the command `segpipe` sets, the recipe TensorFlow's own; `TF_ENABLE_ONEDNN_OPTS=1` or `=0`
before the command is for both.

`--curve` adds mean IoU on the eval split against seconds of training (tracing included, evaluation not), by the last
epoch that had ended, also for ours; median (least–most) over the rounds.
"""

from __future__ import annotations

import argparse
import importlib
import os
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.processes import add_side, peak_bytes, report, run_side
from benchmarks.seeds.curve import curve_rows
from benchmarks.seeds.table import print_table, spread
from common.tensorflow_environment import set_tensorflow_environment

if TYPE_CHECKING:
    from benchmarks.seeds.data import Prepared
    from benchmarks.seeds.sides import Outcome, Score
    from pipeline.config.run_config import RunConfig

MODULE = "benchmarks.seeds"
MADE_UP = "made-up"
LOCAL_MOBILENET_ALPHA = 0.75
SPLITS = ("eval", "test")


class Seed(NamedTuple):
    """A recipe: its module, the data, and how the encoder is trained."""

    recipe: str
    data: str
    phases: str
    """`all`: from the first epoch; `frozen`: never; `two`: in the second half."""


SEEDS = {
    "buildings": Seed("buildings", "data/nuclei", "all"),
    "pets": Seed("pets", MADE_UP, "frozen"),
    "pets-fcn8": Seed("pets_fcn8", MADE_UP, "frozen"),
    "clothing": Seed("clothing", "data/clothing", "two"),
}


def main() -> None:
    """Prepares the images, runs the sides in turn and prints the table; or is one of these processes."""
    arguments = _arguments()
    if arguments.side == "prepare":
        _prepare(arguments)
        report({})
    elif arguments.side:
        report(_measure(arguments))
    else:
        _compare(arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seed", choices=SEEDS, help="the recipe")
    parser.add_argument("--data", help="root of the pictures, laid out as the seed's configuration says; or `made-up`")
    parser.add_argument("--epochs", type=int, default=10, help="of both sides")
    parser.add_argument("--our-epochs", type=int, help="of ours, if others than the recipe's")
    parser.add_argument("--steps", type=int, help="batches of training images to keep")
    parser.add_argument("--rounds", type=int, default=1, help="trainings of each side")
    parser.add_argument("--weights", help="local file of a MobileNet's weights, for clothing")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="change a key for both sides")
    parser.add_argument("--variant", action="append", default=[], help="change a key for ours once more")
    parser.add_argument("--pictures", type=int, default=200, help="how many are made up")
    parser.add_argument("--curve", action="store_true", help="print mean IoU against time too")
    parser.add_argument("--markdown", action="store_true", help="print rows for docs/results.md")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--round", type=int, default=0, help=argparse.SUPPRESS)
    add_side(parser, ("prepare", "recipe", "ours", "variant"))
    arguments = parser.parse_args()
    arguments.our_epochs = arguments.our_epochs or arguments.epochs
    if min(arguments.epochs, arguments.our_epochs) < (4 if SEEDS[arguments.seed].phases == "two" else 2):
        parser.error("each phase needs at least two epochs, because the first traces graphs and does not count")
    return arguments


def _compare(arguments: argparse.Namespace) -> None:
    sides = ["recipe", "ours", "variant"] if arguments.variant else ["recipe", "ours"]
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        run_side(MODULE, "prepare", "--folder", folder)
        for number in range(arguments.rounds):
            for side in sides:
                runs[side].append(run_side(MODULE, side, "--folder", folder, "--round", str(number)))
    _print_table(arguments, runs)


def _overrides(arguments: argparse.Namespace) -> list[str]:
    """Changes that make the shipped configuration comparable: data, epochs, no download, and the recipe's phases."""
    seed = SEEDS[arguments.seed]
    epochs = arguments.epochs if arguments.side == "recipe" else arguments.our_epochs
    data = arguments.data or seed.data
    root = str(Path(arguments.folder, "pets")) if data == MADE_UP else data
    overrides = [
        f"data.source.root={root}",
        f"workspace={Path(arguments.folder, 'workspace')}",
        f"trainer.epochs={epochs}",
        f"trainer.patience={epochs}",
    ]
    if seed.phases != "all":
        fine_tuned_from = epochs // 2 + 1 if seed.phases == "two" else "null"
        overrides += ["trainer.model.encoder.weights=none", f"trainer.fine_tuning.from_epoch={fine_tuned_from}"]
    if arguments.weights:
        encoder = f"{{name: mobilenet, alpha: {LOCAL_MOBILENET_ALPHA}, weights: {arguments.weights}}}"
        overrides.append(f"trainer.model.encoder={encoder}")
    return [*overrides, *arguments.overrides]


def _config(arguments: argparse.Namespace, more: list[str]) -> RunConfig:
    from pipeline.config.run_config import load_config

    return load_config(f"pipeline/configs/{arguments.seed}.yaml", [*_overrides(arguments), *more])


def _prepare(arguments: argparse.Namespace) -> None:
    from benchmarks.seeds.data import prepare
    from benchmarks.seeds.made_up import make_pets

    if (arguments.data or SEEDS[arguments.seed].data) == MADE_UP:
        make_pets(Path(arguments.folder, "pets"), arguments.pictures)
    config = _config(arguments, [])
    most = arguments.steps * config.trainer.batch_size if arguments.steps else None
    prepare(config, Path(arguments.folder), most)


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.side != "recipe":
        set_tensorflow_environment()
    from benchmarks.seeds.data import read_masks, read_prepared
    from benchmarks.seeds.scores import scores

    config = _config(arguments, arguments.variant if arguments.side == "variant" else [])
    prepared, transform, num_classes = read_prepared(Path(arguments.folder)), config.transform, len(config.data.classes)
    truth = {split: read_masks(prepared.record_files[split], transform.height, transform.width) for split in SPLITS}
    outcome = _train(arguments, config, prepared, lambda masks: scores(truth["eval"], masks, num_classes).mean_iou)
    judged = {split: scores(truth[split], outcome.predictions[split], num_classes) for split in SPLITS}
    return {
        "pictures": [len(prepared.pairs[split]) for split in ("train", *SPLITS)],
        "size": [transform.height, transform.width, config.trainer.batch_size],
        "rates": [outcome.images_per_epoch / statistics.median(seconds[1:]) for seconds in outcome.phases],
        "curve": [[second for phase in outcome.phases for second in phase], [s for p in outcome.scores for s in p]],
        "parameters": outcome.parameters,
        "peak": peak_bytes(),
        **{f"{split} {name}": value for split in SPLITS for name, value in judged[split]._asdict().items()},
    }


def _train(arguments: argparse.Namespace, config: RunConfig, prepared: Prepared, score: Score) -> Outcome:
    from common.compatibility import skip_autograph_for_keras

    skip_autograph_for_keras()
    seed = config.seed + arguments.round
    if arguments.side != "recipe":
        from benchmarks.seeds.ours import our_outcome

        return our_outcome(config, seed, prepared)
    import tf_keras as keras

    from benchmarks.seeds.sides import Setting

    keras.utils.set_random_seed(seed)
    trainer, transform = config.trainer, config.transform
    setting = Setting(
        architecture=trainer.model,
        height=transform.height,
        width=transform.width,
        num_classes=len(config.data.classes),
        batch_size=trainer.batch_size,
        epochs=trainer.epochs,
        fine_tuned_from=trainer.fine_tuning.from_epoch if trainer.fine_tuning else None,
    )
    recipe = importlib.import_module(f"benchmarks.seeds.recipes.{SEEDS[arguments.seed].recipe}")
    return recipe.train(setting, prepared.pairs, score)


def _print_table(arguments: argparse.Namespace, runs: dict[str, list[dict[str, Any]]]) -> None:
    first = runs["recipe"][0]
    (height, width, batch), (train, *judged) = first["size"], first["pictures"]
    print(
        f"{arguments.seed} on {arguments.data or SEEDS[arguments.seed].data}: {train} images of {height}×{width} "
        f"({' and '.join(map(str, judged))} for eval and test), batches of {batch}, {arguments.epochs} epochs "
        f"({arguments.our_epochs} of ours), "
        f"{arguments.rounds} rounds; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    columns = [f"{split} {name}" for split in SPLITS for name in ("mean_iou", "pixel_accuracy")]
    rows = [["side", "weights", "images/s", "× recipe", "peak MB", *(c.replace("_", " ") for c in columns)]]
    for side, of_side in runs.items():
        rates = _median_rates(of_side)
        ratios = [rate / base for rate, base in zip(rates, _median_rates(runs["recipe"]), strict=True)]
        rows.append(
            [
                ", ".join(["ours", *arguments.variant]) if side == "variant" else side,
                f"{of_side[0]['parameters']:,}".replace(",", " "),
                " / ".join(f"{rate:.2f}" for rate in rates),
                " / ".join(f"{ratio:.2f}" for ratio in ratios),
                f"{statistics.median(run['peak'] for run in of_side) / 1e6:.0f}",
                *(spread([run[column] for run in of_side]) for column in columns),
            ]
        )
    print_table(rows, arguments.markdown)
    if arguments.curve:
        print()
        print_table(
            curve_rows({side: [run["curve"] for run in of_side] for side, of_side in runs.items()}), arguments.markdown
        )


def _median_rates(runs: list[dict[str, Any]]) -> list[float]:
    """Phase by phase."""
    return [statistics.median(rates) for rates in zip(*(run["rates"] for run in runs), strict=True)]


if __name__ == "__main__":
    main()
