"""`segpipe check` is the data gate's rehearsal: what stops a run before its training stops it, by the same code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from rich.console import Console

from common.errors import UserError
from components.data_gate.rehearsal import rehearse
from pipeline.cli.check import check_data, infer_schema_file
from pipeline.config.run_config import RunConfig, load_config
from pipeline.local.run import run_pipeline
from registry.store import Registry

SPLITS = {"train": 16, "eval": 10, "test": 10}
Draw = Callable[[str, int], np.ndarray]
"""Split and place in it → a mask."""


def square(split: str, index: int) -> np.ndarray:
    del split
    mask_HW = np.zeros((24, 24), np.uint8)
    mask_HW[4 : 14 + index % 4, 4:14] = 1
    return mask_HW


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., RunConfig]:
    """Writes images, masks, a manifest that names the splits, and a configuration with `overrides`."""

    def make(draw: Draw, *overrides: str, light: dict[str, float] | None = None, tested_in: str = "both") -> RunConfig:
        rows = ["image,mask,split,place"]
        for split, count in SPLITS.items():
            for index in range(count):
                mask_HW, name = draw(split, index), f"{split}-{index}"
                noise_HWC = np.random.default_rng([index, *split.encode()]).integers(80, 120, (24, 24, 3))
                image_HWC = (noise_HWC + 80 * (mask_HW == 1)[..., None]) * (light or {}).get(split, 1.0)
                (tmp_path / "data").mkdir(exist_ok=True)
                Image.fromarray(image_HWC.astype(np.uint8)).save(tmp_path / f"data/{name}.png")
                Image.fromarray(mask_HW).save(tmp_path / f"data/{name}-mask.png")
                place = ("park", "street")[index % 2] if split != "test" or tested_in == "both" else tested_in
                rows.append(f"{name}.png,{name}-mask.png,{split},{place}")
        (tmp_path / "data/index.csv").write_text("\n".join(rows) + "\n")
        source = {"type": "manifest", "root": str(tmp_path / "data"), "split_column": "split"}
        config: dict[str, Any] = {
            "name": "small",
            "workspace": str(tmp_path / "run"),
            "data": {"source": source, "classes": ["background", "thing"]},
            "validation": {"schema": str(tmp_path / "schemas/small.pbtxt")},
            "transform": {"height": 32, "width": 32},
            "trainer": {"model": {"type": "unet", "width": 8, "depth": 2}},
        }
        (tmp_path / "small.yaml").write_text(yaml.safe_dump(config))
        return load_config(tmp_path / "small.yaml", overrides)

    return make


def test_sound_data_passes_and_gets_a_first_schema_that_the_next_check_takes(write: Any, capfd: Any) -> None:
    config = write(square, "evaluator.slices=[place]")
    check_data(config)
    assert f"wrote {config.schema_file} from this data: read it, correct it" in capfd.readouterr().out
    before = config.schema_file.read_bytes()
    check_data(config)
    out = capfd.readouterr().out
    assert "wrote" not in out and "!" not in out and f"✓ schema {config.schema_file}" in out
    assert config.schema_file.read_bytes() == before


def test_masks_without_a_class_stop_and_no_schema_is_made_of_them(write: Any) -> None:
    config = write(lambda split, index: square(split, index) * 0)
    sentence = r"the class 'thing' has no pixel in train: .* the line `may_be_absent: \[thing\]`"
    with pytest.raises(UserError, match=f"the data gate would stop this run, because a check failed: {sentence}"):
        check_data(config)
    with pytest.raises(UserError, match=f"no schema was written .*: {sentence}"):
        infer_schema_file(config, overwrite=False)
    with pytest.raises(UserError, match=f"no schema was written .*: {sentence}"):
        run_pipeline(config, Console(quiet=True))
    assert not config.schema_file.exists() and not (config.workspace_dir / "artifacts").exists()


def test_the_line_to_paste_lets_them_through(write: Any) -> None:
    check_data(write(lambda split, index: square(split, index) * 0, "validation.may_be_absent=[thing]"))


def test_a_class_that_only_test_has_stops_and_is_named(write: Any) -> None:
    def rare(split: str, index: int) -> np.ndarray:
        return square(split, index) + (split == "test") * np.eye(24, dtype=np.uint8) * 2

    config = write(rare, "data.classes=[background, thing, rare, both]", "validation.may_be_absent=[both]")
    with pytest.raises(UserError, match=r"the class 'rare' has no pixel in train \(images with it: 10 in test\)"):
        check_data(config)


def test_a_class_that_test_lacks_is_a_warning(write: Any, capfd: Any) -> None:
    config = write(lambda split, index: square(split, index) * (split != "test"), "validation.skew=false")
    check_data(config)
    out = capfd.readouterr().out
    assert "! data gate: the class 'thing' has no pixel in test, so no metric is computed for it there: give" in out
    assert "or set data.split.stratify: classes" in out


def test_void_stands_in_the_table_and_stops_in_the_split_that_has_too_much(write: Any, capfd: Any) -> None:
    def half_drawn(split: str, index: int) -> np.ndarray:
        mask_HW = square(split, index)
        mask_HW[9 if split == "eval" else 20 :] = 255
        return mask_HW

    with pytest.raises(UserError, match=r"62\.5% of the pixels of eval are void .* `max_void: 0\.63`"):
        check_data(write(half_drawn, "validation.skew=false"))
    out = capfd.readouterr().out
    heading = next(line for line in out.splitlines() if line.startswith("split "))
    assert heading.split()[-1] == "void" and "62.5%" in out and "16.7%" in out
    check_data(write(half_drawn, "validation.skew=false", "validation.max_void=0.63"))


def test_several_findings_stand_on_lines_of_their_own(write: Any) -> None:
    config = write(lambda split, index: square(split, index) * 0 + 255 * (np.arange(24) > 2).astype(np.uint8)[:, None])
    with pytest.raises(UserError) as stopped:
        check_data(config)
    first, *findings = str(stopped.value).splitlines()
    assert first == "the data gate would stop this run, because 5 checks failed:"
    assert [line.startswith("  data gate: ") for line in findings] == [True] * 5


def test_skew_between_the_splits_stops(write: Any) -> None:
    config = write(square, light={"test": 0.2})
    with pytest.raises(UserError, match=r"image/brightness differs between train and test: Jensen–Shannon"):
        check_data(config)


def test_drift_since_the_data_last_let_through_stops(write: Any, tmp_path: Path) -> None:
    config = write(square)
    check_data(config)
    train = rehearse(config.data, config.seed).statistics["train"]
    (tmp_path / "FeatureStats.pb").write_bytes(train.SerializeToString())
    Registry(config.registry_uri).record_statistics("f00d", str(tmp_path / "FeatureStats.pb"))
    check_data(config)
    dark = write(square, light=dict.fromkeys(SPLITS, 0.2))
    with pytest.raises(UserError, match="image/brightness drifted since data f00d"):
        check_data(dark)


def test_an_anomaly_by_the_curated_schema_stops(write: Any) -> None:
    config = write(square)
    check_data(config)
    config.schema_file.write_text(config.schema_file.read_text().replace('"thing"', '"other"'))
    with pytest.raises(UserError, match=r"mask/classes in train does not match the schema.*thing"):
        check_data(config)


def test_a_schema_that_cannot_be_read_is_named_with_the_line(write: Any) -> None:
    config = write(square)
    config.schema_file.parent.mkdir()
    config.schema_file.write_text("feature {\n  nam: 3\n}")
    with pytest.raises(UserError, match=r"small\.pbtxt: the schema cannot be read, at line:column 2:3"):
        check_data(config)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("evaluator.slices=[plaec]", r"evaluator\.slices\[0\]: there is no slice 'plaec'; did you mean 'place'\?"),
        ("evaluator.slices=[split]", r"evaluator\.slices\[0\]: there is no slice 'split'"),
        (
            "evaluator={slices: [place], thresholds: [{metric: mean_iou, at_least: 0.1, slice: {place: prak}}]}",
            r"evaluator\.thresholds\[0\]\.slice: no image has place = 'prak'; did you mean 'park'\?",
        ),
        ("data.buckets={place: {feature: brightness, edges: [0.5]}}", "the bucket 'place' has the name of a slicing"),
    ],
)
def test_a_slice_that_the_data_does_not_have_stops_check_and_run_before_an_image_is_read(
    write: Any, override: str, sentence: str
) -> None:
    config = write(square, override)
    for image in Path(config.data.source.root).glob("*.png"):
        image.write_bytes(b"")
    with pytest.raises(UserError, match=sentence):
        check_data(config)
    with pytest.raises(UserError, match=sentence):
        run_pipeline(config, Console(quiet=True))
    assert not (config.workspace_dir / "artifacts").exists()


def test_a_bound_on_a_value_that_the_judging_split_lacks_is_a_warning(write: Any, capfd: Any) -> None:
    bound = "{metric: mean_iou, at_least: 0.1, slice: {place: park}}"
    check_data(
        write(
            square, f"evaluator={{slices: [place], thresholds: [{bound}]}}", "validation.skew=false", tested_in="street"
        )
    )
    assert "evaluator.thresholds[0].slice: no image of test has place = 'park'" in capfd.readouterr().out


def test_a_registry_of_another_model_stops_before_the_data_is_read(write: Any, tmp_path: Path) -> None:
    config = write(square)
    (tmp_path / "model").mkdir()
    (tmp_path / "model/saved_model.pb").write_text("model")
    Registry(config.registry_uri).push(
        str(tmp_path / "model"),
        model_name="another",
        data_fingerprint="f00d",
        baseline_version=None,
        metrics={},
        config={},
        software={},
    )
    with pytest.raises(UserError, match="holds the model 'another', not 'small'"):
        check_data(config)


def test_objects_that_resizing_would_lose_are_warned_of(
    write: Callable[..., RunConfig], capfd: pytest.CaptureFixture[str]
) -> None:
    def dot(split: str, index: int) -> np.ndarray:
        mask_HW = square(split, index)
        mask_HW[4:14, 4:14] = 0
        mask_HW[5:10:4, 5 + index % 3 : 15 : 4] = 1
        return mask_HW

    check_data(write(dot, "transform={height: 16, width: 16}", "trainer.model.depth=1"))
    assert "the median object of class 'thing' is" in capfd.readouterr().out
