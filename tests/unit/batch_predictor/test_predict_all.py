"""A batch prediction on Beam: masks, index, rejected images, and what a second call does."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from common.errors import UserError
from components.batch_predictor import shard as shards
from components.batch_predictor.loaded_model import LoadedModel
from tests.unit.batch_predictor.conftest import Predict, write_image


def rows(out: Path) -> dict[str, dict]:
    return {row["path"]: row for row in pq.read_table(out / "index").to_pylist()}


def files(out: Path) -> dict[str, bytes]:
    """All files but the lock, which are then equal for equal predictions."""
    found = (path for path in out.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def test_masks_lie_as_their_images_do_and_bad_images_are_set_aside(
    predict: Predict, photos: Path, tmp_path: Path
) -> None:
    counts = predict({"root": str(photos)})
    assert (counts.predicted, counts.rejected, counts.kept, counts.pixels) == (4, 1, 0, 4 * 40 * 56)
    out = tmp_path / "out"
    masks = sorted(path.relative_to(out / "masks").as_posix() for path in out.rglob("*.mask.png"))
    assert masks == ["a.jpg.mask.png", "a.png.mask.png", "deep/b.png.mask.png", "deep/c.bmp.mask.png"]
    [rejected] = [json.loads(line) for line in (out / "rejected.jsonl").read_text().splitlines()]
    assert rejected["path"] == "deep/broken.png"
    assert "PNG" in rejected["reason"]
    assert rows(out)["deep/broken.png"]["status"] == "rejected"
    assert sum(rows(out)["a.jpg"]["fractions"].values()) == pytest.approx(1)
    assert not list(out.glob(".journal/*")) and not (out / ".staging").exists() and not (out / ".model").exists()


def test_a_second_call_predicts_what_is_new_or_changed(
    predict: Predict, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict({"root": str(photos)})
    before = files(tmp_path / "out")
    asked: list[int] = []
    own = LoadedModel.predict
    monkeypatch.setattr(LoadedModel, "predict", lambda self, images: asked.append(len(images)) or own(self, images))
    counts = predict({"root": str(photos)})
    assert (counts.predicted, counts.kept, counts.rejected, asked) == (0, 4, 1, [])
    assert {name: data for name, data in files(tmp_path / "out").items() if name != "summary.json"} == {
        name: data for name, data in before.items() if name != "summary.json"
    }
    write_image(photos / "new.png", 24, 24)
    write_image(photos / "deep" / "broken.png")
    counts = predict({"root": str(photos)})
    assert (counts.predicted, counts.kept, counts.rejected) == (2, 4, 0)
    assert len(rows(tmp_path / "out")) == 6
    assert (tmp_path / "out" / "rejected.jsonl").read_text() == ""


def test_a_call_that_was_interrupted_is_continued_to_the_same_files(
    predict: Predict, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict({"root": str(photos)})
    undisturbed = files(tmp_path / "out")
    monkeypatch.setattr(shards, "_ROWS", 1)
    own, written = LoadedModel.predict, 0

    def fail_at_third(self: LoadedModel, images: list[bytes]) -> list:
        nonlocal written
        written += 1
        if written == 3:
            raise RuntimeError("killed")
        return own(self, images)

    with monkeypatch.context() as patched:
        patched.setattr(LoadedModel, "predict", fail_at_third)
        with pytest.raises(Exception, match="killed"):
            predict({"root": str(photos)}, batch_size=1, overwrite=True)
    assert not (tmp_path / "out" / "summary.json").exists()
    assert list((tmp_path / "out").glob(".journal/*/*.jsonl"))
    counts = predict({"root": str(photos)}, batch_size=1)
    assert 1 <= counts.kept <= 3
    assert counts.kept + counts.predicted == 4
    now = files(tmp_path / "out")
    assert now.keys() == undisturbed.keys()
    assert {name for name in now if now[name] != undisturbed[name]} == {"summary.json"}


def test_a_manifest_may_name_an_image_twice_and_one_that_is_gone(predict: Predict, photos: Path) -> None:
    (photos / "index.csv").write_text("image\na.png\ndeep/../a.png\ndeep/b.png\na.png\ngone.png\n")
    counts = predict({"type": "manifest", "root": str(photos)}, max_rejected=0.9)
    assert (counts.predicted, counts.rejected, counts.repeated) == (2, 2, 1)


def test_unreadable_files_are_tried_again(predict: Predict, photos: Path, tmp_path: Path) -> None:
    (photos / "index.csv").write_text("image\na.png\ngone.png\n")
    source = {"type": "manifest", "root": str(photos)}
    assert predict(source).rejected == 1
    assert rows(tmp_path / "out")["gone.png"]["status"] == "unreadable"
    write_image(photos / "gone.png")
    counts = predict(source)
    assert (counts.predicted, counts.kept, counts.rejected) == (1, 1, 0)


def test_a_source_that_is_mostly_wrong_stops_early(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        (tmp_path / "bad").mkdir(exist_ok=True)
        (tmp_path / "bad" / f"{number:02d}.png").write_bytes(b"no image")
    monkeypatch.setattr(shards, "_TRIED", 4)
    with pytest.raises(Exception, match=r"over the limit of 50% \(max_rejected\); the first: 00.png: "):
        predict({"root": str(tmp_path / "bad")}, batch_size=1)
    assert not (tmp_path / "out" / "summary.json").exists(), "it has not gone through all of them"


def test_a_few_images_that_are_mostly_wrong_are_an_error_at_the_end(predict: Predict, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match="1 of 1 image is rejected"):
        predict({"root": str(tmp_path / "bad")})
    assert '"a.png"' in (tmp_path / "out" / "rejected.jsonl").read_text()


def test_a_geotiff_is_left_to_the_scenes(predict: Predict, photos: Path, tmp_path: Path) -> None:
    from tests.support.scenes import blocky_image, write_scene

    write_scene(photos / "scene.tif", blocky_image(3, 40, 40))
    predict({"root": str(photos)})
    assert "`segpipe predict` reads scenes of any size" in rows(tmp_path / "out")["scene.tif"]["reason"]


def test_the_folder_may_have_wildcard_characters(predict: Predict, photos: Path, tmp_path: Path) -> None:
    odd = tmp_path / "ä b [1] *"
    photos.rename(odd)
    assert predict({"root": str(odd)}, out=str(tmp_path / "out [2]")).predicted == 4
    assert (tmp_path / "out [2]" / "masks" / "deep" / "b.png.mask.png").is_file()
