"""Each shipped configuration, run by its command on data of its shape: files, formats and labels as the real set has.

Networks and pictures are made small and bounds low; what else the configurations say is run as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from components.trainer.history import HISTORY_FILE, TrainingHistory
from pipeline.config.run_config import load_config
from registry.store import Registry
from tests.support import shapes
from tests.support.tiny import segpipe

REAL = Path(os.environ.get("SEGPIPE_TEST_DATA", "../shared/datasets"))
SMALL = (
    "transform.height=64",
    "transform.width=64",
    "trainer.batch_size=8",
    "trainer.epochs=2",
    "data.split={train: 0.6, eval: 0.2, test: 0.2}",
    "evaluator.thresholds=[{metric: mean_iou, at_least: 0.01}]",
)
"""Many architectures have hardly begun to learn after so few steps: that they are run through is the point."""
SMALL_UNET = ("trainer.model.width=8", "trainer.model.depth=3", "trainer.epochs=6", "trainer.learning_rate=0.01")
TWO_PHASES = ("trainer.fine_tuning.from_epoch=2",)
UNTRAINED = ("trainer.model.encoder.weights=none",)


class Case(NamedTuple):
    """A shipped configuration and the data that it is given."""

    config: str
    write: Callable[[Path], None]
    picture: str
    """One of the data's, by a glob."""
    overrides: tuple[str, ...]


MADE_UP = {
    "buildings": Case(
        "buildings",
        shapes.write_buildings,
        "images/*.jpg",
        (*SMALL, *SMALL_UNET, "evaluator.thresholds=[{metric: iou/building, at_least: 0.5}]"),
    ),
    "pets": Case(
        "pets",
        shapes.write_pets,
        "images/*.jpg",
        (*SMALL, *UNTRAINED, "trainer.model.encoder.alpha=0.35", "trainer.model.widths=[32, 16, 8, 8]"),
    ),
    "pets-fcn8": Case(
        "pets-fcn8", shapes.write_pets, "images/*.jpg", (*SMALL, *UNTRAINED, "trainer.model.head_width=32")
    ),
    "clothing": Case(
        "clothing",
        shapes.write_clothing,
        "images/*.jpg",
        (*SMALL, *UNTRAINED, *TWO_PHASES, "trainer.model.widths=[32, 16, 8, 8]", "validation.may_be_absent=all"),
    ),
    "nuclei": Case(
        "nuclei",
        shapes.write_nuclei,
        "images/*.png",
        (
            *SMALL,
            "trainer.model={type: unet}",
            *SMALL_UNET,
            "trainer.windows.per_epoch=64",
            "evaluator.thresholds=[{metric: dice/nucleus, at_least: 0.5}]",
        ),
    ),
}


def settings(*overrides: str) -> list[str]:
    return [argument for override in overrides for argument in ("--set", override)]


def run(case: Case, data: Path, root: Path) -> None:
    """Runs the case, and asks what it has pushed for the mask of a picture."""
    config = f"pipeline/configs/{case.config}.yaml"
    overrides = (*case.overrides, f"data.source.root={data}", f"workspace={root / 'run'}")
    done = segpipe("run", config, *settings(*overrides))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "version 1 pushed and served" in done.stdout
    registry = Registry(str(root / "run" / "registry"))
    assert registry.served() == 1
    assert registry.verify(1).config["name"] == case.config
    check_history(root, load_config(config, overrides).trainer.epochs)
    check_answer(registry, sorted(data.glob(case.picture))[0], root / "masks")


def check_history(root: Path, epochs: int) -> None:
    (file,) = (root / "run" / "artifacts" / "Trainer" / "model_run").glob(f"*/{HISTORY_FILE}")
    history = TrainingHistory.model_validate_json(file.read_text())
    assert len(history.epochs) == epochs


def check_answer(registry: Registry, picture: Path, out: Path) -> None:
    done = segpipe("predict", picture, "--registry", registry.uri, "--out", out)
    assert done.returncode == 0, done.stderr
    mask_HW = np.asarray(Image.open(out / f"{picture.stem}.mask.png"))
    assert mask_HW.shape == Image.open(picture).size[::-1]
    assert mask_HW.max() < len(registry.manifest(1).config["data"]["classes"])


@pytest.mark.slow
@pytest.mark.parametrize("name", MADE_UP)
def test_a_shipped_configuration_runs_on_data_of_its_shape(name: str, tmp_path: Path) -> None:
    case = MADE_UP[name]
    case.write(tmp_path / "data")
    run(case, tmp_path / "data", tmp_path)


WINDOWS = ("transform.mode=crop", "transform.height=32", "transform.width=32")
OTHER_MODE = {
    "buildings": MADE_UP["buildings"]._replace(
        overrides=(
            *MADE_UP["buildings"].overrides,
            *WINDOWS,
            "trainer.augmentation.crop=null",
            "trainer.windows={per_epoch: 64, zoom: [0.7, 1.4]}",
        )
    ),
    "pets": MADE_UP["pets"]._replace(overrides=(*MADE_UP["pets"].overrides, *WINDOWS, "trainer.epochs=1")),
    "nuclei": MADE_UP["nuclei"]._replace(
        overrides=(*MADE_UP["nuclei"].overrides, "transform.mode=resize", "trainer.windows={}")
    ),
}
"""The configurations in the other mode: on windows those that resize, and the other way round.

pets-fcn8 and clothing take the way of pets with other networks, and a network is not told the mode; the sample has a
manifest, slices and a U-Net, as nuclei. What is for one mode alone must be taken out, as the errors say.
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHER_MODE)
def test_a_shipped_configuration_runs_in_the_other_mode(name: str, tmp_path: Path) -> None:
    case = OTHER_MODE[name]
    case.write(tmp_path / "data")
    run(case, tmp_path / "data", tmp_path)


def test_every_shipped_configuration_is_sound_in_the_other_mode(tmp_path: Path) -> None:
    shipped = MADE_UP | {"sample": Case("sample", shapes.write_nuclei, "", ())}
    for name, case in shipped.items():
        as_shipped = load_config(f"pipeline/configs/{case.config}.yaml", [])
        taken_out = ("trainer.augmentation.central_crop=null",) if name == "clothing" else ()
        overrides = OTHER_MODE[name].overrides if name in OTHER_MODE else (*WINDOWS, *taken_out)
        other = load_config(f"pipeline/configs/{case.config}.yaml", [*overrides, f"workspace={tmp_path}"])
        assert other.transform.crops != as_shipped.transform.crops


REAL_DATA = {
    "nuclei": (
        "trainer.epochs=3",
        "trainer.windows.per_epoch=200",
        "trainer.inference.flips=none",
        "evaluator.thresholds=[{metric: dice/nucleus, at_least: 0.3}]",
    ),
    "clothing": (
        *UNTRAINED,
        *TWO_PHASES,
        "trainer.epochs=2",
        "evaluator.thresholds=[{metric: mean_iou, at_least: 0.001}]",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL_DATA)
def test_a_shipped_configuration_runs_on_its_own_data(name: str, tmp_path: Path) -> None:
    data = (REAL / name).absolute()
    if not data.exists():
        pytest.skip(f"{data} is not there; SEGPIPE_TEST_DATA names the folder that holds it")
    run(MADE_UP[name]._replace(overrides=REAL_DATA[name]), data, tmp_path)


def test_every_shipped_configuration_is_run_here_or_as_the_sample() -> None:
    shipped = {path.stem for path in Path("pipeline/configs").glob("*.yaml")}
    assert shipped == {*(case.config for case in MADE_UP.values()), "sample"}
