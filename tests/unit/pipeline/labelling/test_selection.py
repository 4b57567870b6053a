"""`segpipe select` on images whose uncertainty is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from pipeline.cli.predict_batch import SourceOptions
from pipeline.cli.select import SelectOptions, open_models, select_images
from tests.unit.pipeline.labelling.conftest import WriteImage, export_by_colour

RED, GREEN, GREY, DARK = (250, 0, 40), (0, 250, 40), (120, 120, 40), (20, 20, 200)
ALL = SourceOptions((), "image", None)


@pytest.fixture
def photos(tmp_path: Path, write_image: WriteImage) -> Path:
    """Two uncertain images and a copy of one of them, three certain ones, and a broken one."""
    write_image("grey.png", GREY, GREY)
    write_image("half.png", RED, GREY)
    write_image("half-again.png", RED, GREY, size=48)
    write_image("dark.png", DARK, DARK)
    write_image("deep/red.png", RED, RED)
    write_image("deep/green.png", GREEN, GREEN)
    (tmp_path / "photos" / "broken.png").write_bytes(b"\x89PNG nothing")
    return tmp_path / "photos"


def select(model: Path, source: Path | str, tmp_path: Path, **changes: Any) -> list[dict[str, Any]]:
    settings: dict[str, Any] = {"number": 3, "out": tmp_path / "next.jsonl", "tasks": None, "address": None}
    other = changes.pop("other", None)
    options = SelectOptions(**(settings | {"sheet": None} | changes))
    select_images(open_models(str(model), None, other), str(source), ALL, options)
    return [json.loads(line) for line in options.out.read_text("utf-8").splitlines()]


def test_the_most_uncertain_comes_first_and_the_next_ones_differ(
    by_colour: Path, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = select(by_colour, photos, tmp_path)
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert rows[0]["path"] == "dark.png", "as uncertain as grey.png, and before it by name"
    assert rows[0]["entropy"] == pytest.approx(0.5, abs=0.01), "two of four classes are equally likely"
    assert rows[0]["margin"] == pytest.approx(1, abs=0.01)
    assert rows[0]["distance"] is None and rows[1]["distance"] >= rows[2]["distance"] > 0.02
    assert {row["path"] for row in rows[1:]} == {"deep/red.png", "deep/green.png"}, "what is least like the first one"
    told = capfd.readouterr().out
    assert "1. dark.png: number 1 of 6 by uncertainty 0.75" in told
    assert "3 of 6 judged images are chosen, 1 near duplicate of a more uncertain one, 1 rejected" in told
    assert "rejected: broken.png: " in told


def test_of_copies_one_is_chosen_and_the_same_call_chooses_the_same(
    by_colour: Path, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = select(by_colour, photos, tmp_path, number=50)
    assert len(rows) == 5 and sum(row["path"].startswith("half") for row in rows) == 1
    assert "; 50 were asked for" in capfd.readouterr().out
    assert select(by_colour, photos, tmp_path, number=50) == rows


def test_images_on_which_two_models_differ_are_preferred(photos: Path, by_colour: Path, tmp_path: Path) -> None:
    opposite = export_by_colour(tmp_path / "opposite", steepness=-10)
    rows = {row["path"]: row for row in select(by_colour, photos, tmp_path, number=50, other=str(opposite))}
    assert rows["deep/red.png"]["disagreement"] == 1
    assert rows["grey.png"]["disagreement"] == 0, "on a tie both take the first class"
    assert rows["deep/red.png"]["score"] == pytest.approx((0 + 0 + 1) / 3, abs=0.01)


def test_tasks_and_contact_sheet(by_colour: Path, photos: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.html"
    rows = select(by_colour, photos, tmp_path, tasks="label-studio", address="s3://images/", sheet=sheet)
    tasks = json.loads((tmp_path / "next.label-studio.json").read_text("utf-8"))
    assert [task["data"]["image"] for task in tasks] == [f"s3://images/{row['path']}" for row in rows]
    assert (tmp_path / "next.label-studio.xml").read_text("utf-8").startswith("<View>")
    page = sheet.read_text("utf-8")
    assert page.count("<figure>") == 6 and all(row["reason"] in page for row in rows)
    assert "<script" not in page
    select(by_colour, photos, tmp_path, tasks="cvat")
    assert (tmp_path / "next.cvat.xml").read_text("utf-8").count("<image ") == 3


def test_a_table_names_the_images(by_colour: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "list.csv").write_text("image\ngrey.png\ngrey.png\ndeep/red.png\n")
    rows = select(by_colour, photos / "list.csv", tmp_path)
    assert [row["path"] for row in rows] == ["grey.png", "deep/red.png"]


def test_nothing_to_choose_from_is_said(by_colour: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"the model takes none of 1 image; the first: a.png: "):
        select(by_colour, tmp_path / "photos", tmp_path)


@pytest.mark.parametrize("other", ["same", "classes"])
def test_another_model_must_be_comparable(by_colour: Path, tmp_path: Path, other: str) -> None:
    from tests.support.mask_model import write_mask_model

    if other == "same":
        with pytest.raises(UserError, match=r"names the same model, .*, which always agrees; name another version"):
            open_models(str(by_colour), None, str(by_colour))
        return
    write_mask_model(str(tmp_path / "model"))
    with pytest.raises(UserError, match="the classes differ, so the models cannot disagree: ground, roof"):
        open_models(str(by_colour), None, str(tmp_path / "model"))


def test_record_files_are_not_tasks(by_colour: Path, tmp_path: Path) -> None:
    (tmp_path / "data_tfrecord-00000-of-00001").touch()
    with pytest.raises(UserError, match="--tasks is for image files"):
        select(by_colour, tmp_path, tmp_path, tasks="cvat")
