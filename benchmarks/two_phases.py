"""Clothing by a pretrained encoder, first at rest and then fine-tuned, beside training from scratch for as long.

    python -m benchmarks.two_phases WEIGHTS [--minutes 4] [--rounds 1] [--set KEY=VALUE …] [--markdown]

WEIGHTS is a file with the ImageNet weights of a MobileNet of α 0.75 without its top.  All sides are the trainer itself
on `pipeline/configs/clothing.yaml` with that encoder, the same pictures, a step size that stays, and the same time
(`trainer.max_minutes`, which ends a training after the epoch in which it is up); they differ in what the encoder begins
with, and in whether it rests at first.  Each training is a process of its own, the sides taking turns; a round has its
own seed.  The best epoch on eval is what is judged; the test split has chosen nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.processes import add_side, report, run_side
from benchmarks.seeds.table import print_table, spread

if TYPE_CHECKING:
    from pipeline.config.run_config import RunConfig

MODULE = "benchmarks.two_phases"
SCRATCH = ("trainer.fine_tuning=null", "trainer.model.encoder.weights=none")
SIDES: dict[str, tuple[str, ...]] = {
    "two phases": (),
    "pretrained, one phase": ("trainer.fine_tuning=null",),
    "from scratch": SCRATCH,
}
MOST_EPOCHS = 1000
SPLITS = ("eval", "test")


def main() -> None:
    """Prints a row a side; or is one of these processes."""
    arguments = _arguments()
    if arguments.side == "prepare":
        from benchmarks.seeds.data import prepare

        prepare(_config(arguments, ()), Path(arguments.folder), most_pictures=None)
        report({})
    elif arguments.side:
        report(_measure(arguments))
    else:
        _compare(arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="local .h5 file of MobileNet's weights, α 0.75")
    parser.add_argument("--data", default="data/clothing", help="root of the pictures")
    parser.add_argument("--minutes", type=float, default=4, help="of training, each side")
    parser.add_argument("--resting-epochs", type=int, default=8, help="those of the first phase")
    parser.add_argument("--rounds", type=int, default=1, help="trainings of each side")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="change a key for all sides")
    parser.add_argument("--markdown", action="store_true", help="print rows for docs/results.md")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--round", type=int, default=0, help=argparse.SUPPRESS)
    add_side(parser, ("prepare", *SIDES))
    return parser.parse_args()


def _compare(arguments: argparse.Namespace) -> None:
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as folder:
        run_side(MODULE, "prepare", "--folder", folder)
        for number in range(arguments.rounds):
            for side in SIDES:
                runs[side].append(run_side(MODULE, side, "--folder", folder, "--round", str(number)))
    print(
        f"clothing on {arguments.data}, MobileNet of α 0.75, {arguments.minutes:g} minutes a training, "
        f"{arguments.rounds} rounds; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    columns = [f"{split} {name}" for split in SPLITS for name in ("pixel_accuracy", "mean_iou")]
    rows = [["side", "epochs", "best", *(column.replace("_", " ") for column in columns)]]
    for side, of_side in runs.items():
        epochs, best = (f"{statistics.median(run[key] for run in of_side):.0f}" for key in ("epochs", "best"))
        rows.append([side, epochs, best, *(spread([run[column] for run in of_side]) for column in columns)])
    print_table(rows, arguments.markdown)


def _config(arguments: argparse.Namespace, more: tuple[str, ...]) -> RunConfig:
    from pipeline.config.run_config import load_config

    overrides = [
        f"data.source.root={arguments.data}",
        f"workspace={Path(arguments.folder, 'workspace')}",
        f"trainer.model.encoder={{name: mobilenet, alpha: 0.75, weights: {arguments.weights}}}",
        f"trainer.fine_tuning={{from_epoch: {arguments.resting_epochs + 1}}}",
        f"trainer.epochs={MOST_EPOCHS}",
        f"trainer.patience={MOST_EPOCHS}",
        f"trainer.max_minutes={arguments.minutes}",
        "trainer.schedule=constant",
    ]
    return load_config("pipeline/configs/clothing.yaml", [*overrides, *arguments.overrides, *more])


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.seeds.data import read_masks, read_prepared
    from benchmarks.seeds.ours import predict, train_ours
    from benchmarks.seeds.scores import scores

    config = _config(arguments, SIDES[arguments.side])
    prepared = read_prepared(Path(arguments.folder))
    network, history = train_ours(config, config.seed + arguments.round, prepared)
    measured: dict[str, Any] = {"epochs": len(history.epochs), "best": history.best_epoch}
    for split in SPLITS:
        truth_NHW = read_masks(prepared.record_files[split], config.transform.height, config.transform.width)
        predicted_NHW = predict(network, config, prepared.record_files[split])
        judged = scores(truth_NHW, predicted_NHW, len(config.data.classes))
        measured |= {f"{split} {name}": value for name, value in judged._asdict().items()}
    return measured


if __name__ == "__main__":
    main()
