"""The index: Parquet that other programs read, and that an interrupted call reads again."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from components.batch_predictor.entries import Entry
from components.batch_predictor.index_file import part_path, read_part, read_rejected, write_part
from components.batch_predictor.origin import ModelFacts, Origin
from components.batch_predictor.out_folder import OutFolder

MODEL = ModelFacts(name="pets", version=3, content_hash="a" * 64, classes=("ground", "cät"), max_pixels=100)
ORIGIN = Origin(model=MODEL, source="images", shards=4)
ENTRIES = [
    Entry(
        path="a.png",
        status="predicted",
        mask="masks/a.png.mask.png",
        height=2,
        width=3,
        fractions=(0.25, 0.75),
        mean_confidence=0.5,
        state="9:1",
    ),
    Entry(path="b.png", status="rejected", reason="it is empty: 0 bytes", state="0:1"),
    Entry(path="c.png", status="unreadable", reason="no permission"),
]


def test_entries_come_back_as_they_were(tmp_path: Path) -> None:
    out = OutFolder(str(tmp_path))
    assert read_part(out, ORIGIN, 2) == []
    write_part(out, ORIGIN, 2, ENTRIES)
    assert read_part(out, ORIGIN, 2) == ENTRIES


def test_other_programs_read_names_of_classes_and_the_version(tmp_path: Path) -> None:
    write_part(OutFolder(str(tmp_path)), ORIGIN, 2, ENTRIES)
    assert part_path(2, 4) == "index/part-00002-of-00004.parquet"
    first, second, _ = pq.read_table(tmp_path / "index").to_pylist()
    assert first["fractions"] == {"ground": 0.25, "cät": 0.75}
    assert (first["model"], first["model_version"], first["height"]) == ("pets", 3, 2)
    assert (second["mask"], second["fractions"], second["mean_confidence"]) == (None, None, None)


def test_equal_entries_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_part(OutFolder(str(tmp_path / name)), ORIGIN, 0, ENTRIES)
    one, two = (tmp_path / name / part_path(0, 4) for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_images_without_a_mask_are_found_with_their_reasons(tmp_path: Path) -> None:
    out = OutFolder(str(tmp_path))
    write_part(out, ORIGIN, 0, ENTRIES)
    assert [(row["path"], row["reason"]) for row in read_rejected(out, ORIGIN, 0)] == [
        ("b.png", "it is empty: 0 bytes"),
        ("c.png", "no permission"),
    ]
    assert read_rejected(out, ORIGIN, 1) == []
