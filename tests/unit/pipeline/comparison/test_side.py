"""Sides of a comparison, of real registries and workspaces."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path

import pytest

from components import component_keys as keys
from pipeline.comparison.side import OVERALL, version_side
from pipeline.dag.steps import EXAMPLE_GEN
from registry.cards import CARDS
from registry.store import Registry
from tests.support.made_up_runs import Figures, MadeUpWorkspace

BEGAN = datetime.datetime(2026, 11, 20, 3, 0, 0, 123456)


@pytest.fixture
def made(tmp_path: Path) -> MadeUpWorkspace:
    """Two runs, each with a version; the second one has other data."""
    workspace = MadeUpWorkspace(tmp_path / "runs" / "nuclei")
    workspace.add_run(BEGAN, Figures(0.7, 100))
    workspace.add_run(BEGAN + datetime.timedelta(days=1), Figures(0.8, 140, baseline=(1, 0.7)))
    for records in workspace.folder.glob(f"artifacts/{EXAMPLE_GEN.component}/{keys.QUARANTINE}/*"):
        test = records.parent.parent / keys.EXAMPLES / records.name / "Split-test"
        test.mkdir(parents=True)
        (test / "data_tfrecord-00000-of-00001").touch()
    return workspace


def test_the_images_of_a_version_are_those_of_the_run_that_pushed_it(made: MadeUpWorkspace) -> None:
    first, second = (version_side(made.registry, number).run for number in (1, 2))
    assert first is not None and second is not None
    assert first.examples.name != second.examples.name
    assert int(first.examples.name) < int(second.examples.name)


def test_without_the_workspace_there_are_the_figures_of_the_card(made: MadeUpWorkspace, tmp_path: Path) -> None:
    shutil.copytree(made.folder / "registry", tmp_path / "elsewhere" / "registry")
    side = version_side(Registry(str(tmp_path / "elsewhere" / "registry")), 2)
    assert side.run is None and side.version is not None
    assert side.version.searched == (tmp_path / "elsewhere",)
    figure = side.version.figures["mean_iou", OVERALL]
    assert figure.value == pytest.approx(0.8) and figure.low is not None
    assert ("mean_iou", "image_type=colour") in side.version.figures


def test_without_a_card_there_are_the_figures_of_the_manifest(made: MadeUpWorkspace) -> None:
    shutil.rmtree(made.folder / "registry" / CARDS)
    side = version_side(made.registry, 1)
    assert side.version is not None
    figure = side.version.figures["mean_iou", OVERALL]
    assert figure.value == pytest.approx(0.7) and figure.low is None


def test_a_run_whose_records_are_gone_is_not_used(made: MadeUpWorkspace) -> None:
    for folder in made.folder.glob("artifacts/*/examples/*/Split-test"):
        shutil.rmtree(folder)
    assert version_side(made.registry, 2).run is None
