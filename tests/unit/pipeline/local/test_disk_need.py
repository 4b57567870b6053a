"""What a run is said to need on the disk, and when it is refused for it."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from common.errors import UserError
from pipeline.config.run_config import RunConfig, make_config
from pipeline.local.disk_need import DiskNeed, check_disk, estimate, measure_need, print_need
from tests.support.tiny import write_data

MB = 1_000_000
NEED = DiskNeed(records=10 * MB, transformed=40 * MB, model=5 * MB, checkpoints=20 * MB)


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    write_data(tmp_path / "data [1]", pairs=4)
    raw: dict[str, Any] = {
        "name": "tiny",
        "workspace": str(tmp_path / "run [v2]"),
        "data": {
            "source": {"type": "manifest", "root": str(tmp_path / "data [1]"), "slice_columns": ["light"]},
            "classes": ["background", "square", "disc"],
        },
        "transform": {"height": 32, "width": 64},
        "trainer": {"model": {"type": "unet", "width": 8, "depth": 2}},
    }
    return make_config(raw, [], "test")


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets how many bytes of each disk are left."""

    def leave(free: int) -> None:
        usage = type(shutil.disk_usage("/"))(100 * MB, 100 * MB - free, free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    return leave


def printed(config: RunConfig, need: DiskNeed) -> str:
    screen = io.StringIO()
    check_disk(config, need, Console(file=screen, width=500))
    return screen.getvalue()


def test_the_need_grows_with_files_pixels_and_weights(config: RunConfig) -> None:
    need = estimate(config, pairs=100, source_bytes=7 * MB, num_weights=MB)
    assert need.records == 7 * MB + 100 * 2000
    assert need.transformed == 0.75 * 4 * 32 * 64 * 100
    assert need.model == 7 * MB
    assert need.checkpoints == 32 * MB


def test_folds_need_a_model_each_and_their_average_as_much_as_all_of_them() -> None:
    folds = NEED._replace(folds=3)
    assert folds.served == 15 * MB
    assert folds.models == (3 * 5 + 2 * 15) * MB
    assert (folds.step("TrainerFold2"), folds.step("Ensemble"), folds.step("RegistryPusher")) == (
        25 * MB,
        15 * MB,
        15 * MB,
    )


def test_other_formats_need_a_copy_each_of_the_model_in_the_version_and_in_both_copies_before_it() -> None:
    exported = NEED._replace(formats=2)
    assert exported.pushed == 15 * MB
    assert exported.models == (5 + 2 * 15) * MB
    assert exported.step("FormatExporter") == exported.step("RegistryPusher") == 15 * MB


def test_images_that_keep_their_size_need_more_than_their_files(config: RunConfig) -> None:
    cropped = config.model_copy(update={"transform": config.transform.model_copy(update={"mode": "crop"})})
    assert estimate(cropped, pairs=100, source_bytes=7 * MB, num_weights=MB).transformed == 21 * MB


def test_it_is_measured_on_the_data_and_the_network(config: RunConfig, tmp_path: Path) -> None:
    need = measure_need(config)
    files = sum(file.stat().st_size for file in (tmp_path / "data [1]").glob("*/*.png"))
    assert need.records == files + 4 * 2000
    weights = (need.model - 3_000_000) / 4
    assert 20_000 < weights < 40_000


def test_a_run_that_fits_is_not_spoken_of(config: RunConfig, left: Any) -> None:
    left(90 * MB)
    assert printed(config, NEED) == ""


def test_a_run_that_may_just_fit_is_warned_of(config: RunConfig, left: Any) -> None:
    left(60 * MB)
    text = printed(config, NEED)
    assert "has 60 of 100 MB left, and a run needs about 83 MB there" in text
    assert "transformed records 40" in text


def test_a_run_that_cannot_fit_is_refused_with_figures_and_a_remedy(config: RunConfig, left: Any) -> None:
    left(int(0.3 * MB))
    with pytest.raises(UserError, match=r"has 0\.3 of 100 MB left, .* name another folder with --set workspace=DIR"):
        printed(config, NEED)


def test_a_run_that_may_take_earlier_steps_again_is_never_refused(config: RunConfig, left: Any) -> None:
    (config.workspace_dir / "artifacts").mkdir(parents=True)
    left(int(0.3 * MB))
    assert f"the disk of {config.workspace_dir} has 0.3 of 100 MB left" in printed(config, NEED)


def test_check_says_what_a_run_needs_and_what_is_left(config: RunConfig, left: Any) -> None:
    left(95 * MB)
    screen = io.StringIO()
    print_need(config, Console(file=screen, width=500))
    assert "✓ disk: a run needs about" in screen.getvalue()
    assert "where 95 MB are left" in screen.getvalue()
