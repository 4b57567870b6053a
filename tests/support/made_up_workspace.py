"""A workspace of made-up runs in all states, and what its texts are."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from common.run_context import StepUsage
from components.example_gen.quarantine import Reason
from pipeline.dag.steps import DATA_GATE, TRAINER
from tests.support.made_up_runs import Figures, MadeUpWorkspace, quarantined_pair

BEGAN = datetime.datetime(2026, 11, 20, 3, 0, 0, 123456)
DAY = datetime.timedelta(days=1)
EVIL = "<script>alert(1)</script>"
GATE = "class nucleus has no pixel in the split train"
TRAINING = StepUsage(component=TRAINER.component, name="Train", seconds=428.0, megabytes=1834.2)


@dataclass(frozen=True)
class MadeUp:
    """A workspace, and the keys of its runs."""

    folder: Path
    first: str
    better: str
    worse: str
    stopped: str
    killed: str


def ended(began: datetime.datetime, outcome: str = "succeeded", **values: Any) -> dict[str, Any]:
    """The journal of a run that took nine minutes."""
    return {"ended": (began + datetime.timedelta(minutes=9)).astimezone(), "outcome": outcome, **values}


def make_workspace(folder: Path) -> MadeUp:
    """Makes a workspace of five runs in `folder`, and its data two folders above."""
    data = folder.parent.parent / "data"
    for part in ("images", "masks"):
        (data / part).mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 255, [60, 90, 3]).astype(np.uint8)).save(data / "images" / "a.png")
    Image.fromarray(random.integers(0, 2, [60, 90]).astype(np.uint8)).save(data / "masks" / "a.png")
    made = MadeUpWorkspace(folder)
    pairs = (
        quarantined_pair("a", Reason.UNKNOWN_LABEL, f"the mask has the value 7 {EVIL}", remedy="name it"),
        quarantined_pair("gone", Reason.UNREADABLE, "the png data cannot be decoded"),
        quarantined_pair("out", Reason.OUTSIDE_ROOT, "it leads out of the root", image="../secret.png", mask=None),
    )
    classes = ("background", EVIL)
    root = str(data)
    days = [BEGAN + DAY * n for n in range(5)]
    first = made.add_run(days[0], Figures(0.7, 100, classes=classes), journal=ended(days[0]))
    better = made.add_run(
        days[1],
        Figures(0.8, 112, pairs, classes=classes, baseline=(1, 0.7), data_root=root),
        journal=ended(days[1], command=("segpipe", "run", "a b.yaml", "--set", "seed=2"), usage=(TRAINING,)),
        cached=("SchemaImporter",),
        log="2026-11-21 03:08:00,372 INFO segpipe.progress: report: 40 images scored\nthe last line\n",
    )
    worse = made.add_run(days[2], Figures(0.75, 112, blessed=False, baseline=(2, 0.8)), journal=ended(days[2]))
    stopped = made.add_run(
        days[3],
        Figures(gate_failure=GATE),
        until=DATA_GATE.component,
        last="FAILED",
        journal=ended(days[3], "failed", sentence=f"the data gate stopped the run: {GATE}"),
    )
    killed = made.add_run(days[4], until=TRAINER.component, last="RUNNING", journal={})
    return MadeUp(folder, first, better, worse, stopped, killed)
