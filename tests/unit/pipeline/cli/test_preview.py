"""`segpipe preview`: what training will see, before anything is run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from common.errors import UserError
from pipeline.cli.preview import write_preview
from pipeline.config.run_config import RunConfig, load_config
from tests.support.data_set import DataSet, blocks, photo


@pytest.fixture
def data_set(tmp_path: Path) -> DataSet:
    data_set = DataSet(tmp_path / "data")
    for number in range(9):
        data_set.add(f"good{number}", image=photo(48, 36, number), mask=blocks(48, 36))
    return data_set


@pytest.fixture
def config_file(tmp_path: Path, data_set: DataSet) -> Path:
    path = tmp_path / "tiny.yaml"
    settings = {
        "name": "tiny",
        "workspace": str(tmp_path / "run"),
        "data": {
            "source": {"type": "folders", "root": str(data_set.root)},
            "classes": ["background", "thing", "other"],
            "split": {"train": 1.0, "eval": 0.0, "test": 0.0},
        },
        "transform": {"height": 64, "width": 64},
        "trainer": {"augmentation": {"rotate": {}, "crop": {}, "hue": {}}},
    }
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture
def config(config_file: Path) -> RunConfig:
    return load_config(config_file)


def test_the_sheet_is_a_picture_of_six_rows(config: RunConfig, tmp_path: Path) -> None:
    write_preview(config, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 6 * 2 * 128
        assert sheet.height > 6 * 128
        assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 1000


def test_the_same_configuration_draws_the_same_sheet_and_another_seed_another(
    config: RunConfig, tmp_path: Path
) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_preview(config.model_copy(update={"seed": seed}), tmp_path / f"{name}.png")
    one, again, other = ((tmp_path / f"{name}.png").read_bytes() for name in ("one", "again", "other"))
    assert one == again
    assert one != other


def test_windows_are_drawn_beside_the_whole_image(config_file: Path, tmp_path: Path) -> None:
    overrides = [
        "transform={mode: crop, height: 32, width: 32, normalize: picture}",
        "trainer.augmentation={rotate: {}, brightness: {}, invert: 0.5}",
    ]
    write_preview(load_config(config_file, overrides), tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 6 * 2 * 128
        assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 1000


def test_broken_pictures_are_passed_over(
    config: RunConfig, data_set: DataSet, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(0, 9, 2):
        data_set.write(f"images/good{number}.png", b"hello")
    write_preview(config, tmp_path / "sheet.png")
    assert "sheet.png: 4 training images" in capfd.readouterr().out


def test_without_a_training_picture_it_says_so(config_file: Path, tmp_path: Path) -> None:
    config = load_config(config_file, ["data.split={train: 0, eval: 0.5, test: 0.5}"])
    with pytest.raises(UserError, match="no image of tiny can be used for training; `segpipe check`"):
        write_preview(config, tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("sheet.jpg", "must end in .png"),
        ("file/sheet.png", "file/sheet.png: .*; name another file with --out"),
        ("folder.png", "folder.png: Is a directory; name another file with --out"),
    ],
)
def test_where_it_cannot_be_written_is_known_before_anything_is_read(
    config: RunConfig, tmp_path: Path, out: str, sentence: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=sentence):
        write_preview(config, tmp_path / out)
    assert not config.workspace_dir.exists()


def test_the_command_names_the_file(config_file: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pipeline.cli.main",
        "preview",
        str(config_file),
        "--out",
        str(tmp_path / "sheet.png"),
    ]
    done = subprocess.run([*command, "--set", "trainer.augmentation.cutout={}"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "sheet.png: 6 training images, each as it is and augmented 5 times" in done.stdout
    assert not done.stderr
    assert (tmp_path / "sheet.png").exists()
