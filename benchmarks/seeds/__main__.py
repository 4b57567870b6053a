"""The four published recipes beside ours: images a second, peak of memory, mean IoU and pixel accuracy, in one run.

    python -m benchmarks.seeds SEED [--data FOLDER] [--epochs 10] [--steps N] [--rounds 1]
                               [--set KEY=VALUE …] [--variant KEY=VALUE …] [--markdown]

SEED is one of the shipped configurations; what its recipe does is told in `benchmarks/seeds/recipes/`.  The pipeline's
own steps ingest the pictures and make compact records; the recipe gets the same pictures as files.  Both sides train on
the same split, at the same size, in batches as large and for as many epochs, with the architecture that `--set` may
make smaller; ours is the trainer itself with the shipped configuration, the recipe has its own input pipeline, loss and
step sizes.  Neither has ImageNet's weights, unless `--weights` names a file for a MobileNet of α 0.75, which then takes
the place of clothing's DenseNet121 on both sides.  `--variant` adds ours once more, with further keys changed.

Each training is a process of its own, the sides taking turns; a round has its own seed for all that is random but the
split.  An image a second counts whole epochs, the side's input pipeline included, by the median over epochs after the
first of a phase, in which graphs are traced; with two phases both are given, encoder at rest and trained.  `--steps`
leaves only so many batches of training pictures, the same ones on all sides.  Both are judged by one function, on the
masks at the model's size: ours by its best epoch on eval, as it would be exported, the recipe by its last one, as its
source leaves it.  The test split has chosen nothing on either side.
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
from benchmarks.seeds.table import print_table, spread

if TYPE_CHECKING:
    from benchmarks.seeds.sides import Outcome
    from pipeline.config.run_config import RunConfig

MODULE = "benchmarks.seeds"
MADE_UP = "made-up"
LOCAL_MOBILENET_ALPHA = 0.75
SPLITS = ("eval", "test")


class Seed(NamedTuple):
    """A recipe: where it is told, what it is tried on, and how ours is brought to the same."""

    recipe: str
    data: str
    phases: str
    """How the encoder is trained."""


SEEDS = {
    "buildings": Seed("buildings", "data/nuclei", "all"),
    "pets": Seed("pets", MADE_UP, "rests"),
    "pets-fcn8": Seed("pets_fcn8", MADE_UP, "rests"),
    "clothing": Seed("clothing", "data/clothing", "two"),
}


def main() -> None:
    """Prepares the pictures, lets the sides take turns and prints the table; or is one of these processes."""
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
    parser.add_argument("seed", choices=SEEDS, help="which recipe")
    parser.add_argument("--data", help="root of the pictures, laid out as the seed's configuration says; or `made-up`")
    parser.add_argument("--epochs", type=int, default=10, help="of both sides")
    parser.add_argument("--steps", type=int, help="batches that an epoch is cut to")
    parser.add_argument("--rounds", type=int, default=1, help="trainings of each side")
    parser.add_argument("--weights", help="local file of a MobileNet's weights, for clothing")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="change a key for both sides")
    parser.add_argument("--variant", action="append", default=[], help="change a key for ours once more")
    parser.add_argument("--pictures", type=int, default=200, help="how many are made up")
    parser.add_argument("--markdown", action="store_true", help="print rows for docs/results.md")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--round", type=int, default=0, help=argparse.SUPPRESS)
    add_side(parser, ("prepare", "recipe", "ours", "variant"))
    arguments = parser.parse_args()
    if arguments.epochs < (4 if SEEDS[arguments.seed].phases == "two" else 2):
        parser.error("each phase needs two epochs at least, for the first traces graphs and does not count")
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
    """What makes the shipped configuration comparable: data, epochs, no download, and the recipe's phases."""
    seed = SEEDS[arguments.seed]
    data = arguments.data or seed.data
    root = str(Path(arguments.folder, "pets")) if data == MADE_UP else data
    overrides = [
        f"data.source.root={root}",
        f"workspace={Path(arguments.folder, 'workspace')}",
        f"trainer.epochs={arguments.epochs}",
        f"trainer.patience={arguments.epochs}",
    ]
    if seed.phases != "all":
        thawed_from = arguments.epochs // 2 + 1 if seed.phases == "two" else "null"
        overrides += ["trainer.model.encoder.weights=none", f"trainer.fine_tuning={{from_epoch: {thawed_from}}}"]
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
    from benchmarks.seeds.data import read_masks, read_prepared
    from benchmarks.seeds.scores import scores

    config = _config(arguments, arguments.variant if arguments.side == "variant" else [])
    prepared = read_prepared(Path(arguments.folder))
    outcome = _train(arguments, config)
    pictures, transform = len(prepared.pairs["train"]), config.transform
    judged = {}
    for split in SPLITS:
        truth_NHW = read_masks(prepared.record_files[split], transform.height, transform.width)
        judged[split] = scores(truth_NHW, outcome.predictions[split], len(config.data.classes))
    return {
        "pictures": [len(prepared.pairs[split]) for split in ("train", *SPLITS)],
        "size": [transform.height, transform.width, config.trainer.batch_size],
        "rates": [pictures / statistics.median(seconds[1:]) for seconds in outcome.phases],
        "parameters": outcome.parameters,
        "peak": peak_bytes(),
        **{f"{split} {name}": value for split in SPLITS for name, value in judged[split]._asdict().items()},
    }


def _train(arguments: argparse.Namespace, config: RunConfig) -> Outcome:
    from benchmarks.seeds.data import read_prepared
    from common.compatibility import skip_autograph_for_keras

    skip_autograph_for_keras()
    prepared = read_prepared(Path(arguments.folder))
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
        thawed_from=trainer.fine_tuning.from_epoch if trainer.fine_tuning else None,
    )
    recipe = importlib.import_module(f"benchmarks.seeds.recipes.{SEEDS[arguments.seed].recipe}")
    return recipe.train(setting, prepared.pairs)


def _print_table(arguments: argparse.Namespace, runs: dict[str, list[dict[str, Any]]]) -> None:
    first = runs["recipe"][0]
    (height, width, batch), (train, *judged) = first["size"], first["pictures"]
    print(
        f"{arguments.seed} on {arguments.data or SEEDS[arguments.seed].data}: {train} pictures of {height}×{width} "
        f"({' and '.join(map(str, judged))} to judge by), batches of {batch}, {arguments.epochs} epochs, "
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


def _median_rates(runs: list[dict[str, Any]]) -> list[float]:
    """Phase by phase."""
    return [statistics.median(rates) for rates in zip(*(run["rates"] for run in runs), strict=True)]


if __name__ == "__main__":
    main()
