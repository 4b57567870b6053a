"""Splits in which each class has its share."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.errors import UserError
from components.example_gen.check import survey
from components.example_gen.class_stratification import stratify_by_classes
from components.example_gen.config import DataConfig, Split
from components.example_gen.pairing import Pair
from tests.support.splits import a_rare_stratum

SHARES = Split(train=0.7, eval=0.15, test=0.15, stratify="classes")


def pair(number: int, group: str | None = None, split: str | None = None) -> Pair:
    return Pair(str(number), f"{number}.png", f"{number}-mask.png", split, group=group)


def counts(pairs: list[Pair], classes: dict[str, set[int]], index: int) -> Counter[str | None]:
    return Counter(pair.split for pair in pairs if index in classes.get(pair.id, ()))


def test_each_class_has_its_share_of_every_split() -> None:
    classes = {str(i): {0} | ({1} if i % 2 else set()) | ({2} if i < 20 else set()) for i in range(100)}
    pairs = stratify_by_classes([pair(i) for i in range(100)], classes, 1, SHARES)
    assert counts(pairs, classes, 0) == {"train": 70, "eval": 15, "test": 15}
    assert counts(pairs, classes, 2) == {"train": 14, "eval": 3, "test": 3}
    assert counts(pairs, classes, 1)["train"] == pytest.approx(35, abs=1)


@a_rare_stratum
def test_a_rare_class_is_in_every_split_if_it_has_enough_images(number: int, expected: dict[str, int]) -> None:
    classes = {str(i): {0, 1} if i < number else {0} for i in range(60)}
    assert counts(stratify_by_classes([pair(i) for i in range(60)], classes, 1, SHARES), classes, 1) == expected


def test_images_whose_sets_of_classes_all_differ_are_still_in_every_split() -> None:
    classes = {str(i): {index for index in range(6) if i >> index & 1} for i in range(64)}
    pairs = stratify_by_classes([pair(i) for i in range(64)], classes, 1, SHARES)
    for index in range(6):
        found = counts(pairs, classes, index)
        assert found["train"] == pytest.approx(22.4, abs=2) and min(found["eval"], found["test"]) >= 3


def test_a_group_stays_in_one_split_and_has_the_classes_of_all_its_images() -> None:
    classes = {str(i): {0, 1} if i % 20 == 0 else {0} for i in range(60)}
    pairs = stratify_by_classes([pair(i, group=str(i // 4)) for i in range(60)], classes, 1, SHARES)
    assert all(len({one.split for one in pairs if one.group == name}) == 1 for name in {one.group for one in pairs})
    assert counts(pairs, classes, 1) == {"train": 1, "eval": 1, "test": 1}


@settings(deadline=None)
@given(st.lists(st.tuples(st.sets(st.integers(0, 4)), st.integers(0, 9)), max_size=40), st.integers(0, 3))
def test_every_pair_gets_a_split_and_the_order_of_the_pairs_does_not_matter(
    found: list[tuple[set[int], int]], seed: int
) -> None:
    classes = {str(i): each for i, (each, _) in enumerate(found)}
    pairs = [pair(i, group=str(group), split="test" if group == 9 else None) for i, (_, group) in enumerate(found)]
    split = stratify_by_classes(pairs, classes, seed, SHARES)
    assert all(one.split in ("train", "eval", "test") for one in split)
    again = stratify_by_classes(pairs[::-1], classes, seed, SHARES)
    assert {one.id: one.split for one in split} == {one.id: one.split for one in again}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty images, of which the last five hold class 1, and a mask that cannot be read."""
    rows = ["image,mask,kind"]
    for index in range(40):
        noise_HW3 = np.random.default_rng(index).integers(0, 255, (16, 16, 3), np.uint8)
        mask_HW = np.zeros((16, 16), np.uint8)
        mask_HW[4:9, 4:9] = index >= 35
        Image.fromarray(noise_HW3).save(tmp_path / f"{index}.png")
        Image.fromarray(mask_HW).save(tmp_path / f"{index}-mask.png")
        rows.append(f"{index}.png,{index}-mask.png,a")
    (tmp_path / "0-mask.png").write_bytes(b"damaged")
    (tmp_path / "index.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def data(folder: Path, **split: object) -> DataConfig:
    source = {"type": "manifest", "root": str(folder)}
    return DataConfig.model_validate(
        {
            "source": source,
            "classes": ["background", "thing"],
            "split": {"train": 0.6, "eval": 0.2, "test": 0.2} | split,
        }
    )


def test_the_masks_decide_when_data_is_read_and_a_damaged_one_is_quarantined(folder: Path) -> None:
    summary, quarantined = survey(data(folder, stratify="classes"), 1)
    assert {split: counts[1] for split, counts in summary.class_pictures.items()} == {"train": 3, "eval": 1, "test": 1}
    assert [entry.mask for entry in quarantined] == ["0-mask.png"]


def test_a_column_of_that_name_is_refused(folder: Path) -> None:
    index = folder / "index.csv"
    index.write_text(index.read_text().replace("kind", "classes"))
    with pytest.raises(UserError, match=r"the data has a slicing column of that name too; rename the column"):
        survey(data(folder, stratify="classes"), 1)
