"""Folds of cross-validation: everything outside test in exactly one of them, groups whole, strata balanced."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from common import records
from components.example_gen.check import IngestedExample, survey
from components.example_gen.class_stratification import stratify_by_classes
from components.example_gen.config import DataConfig, Split
from components.example_gen.folds import fold_by_classes, fold_by_strata, with_fold, without_eval
from components.example_gen.pairing import Pair
from components.example_gen.splits import Candidate, choose_split, resolve_duplicates, resolve_groups
from components.example_gen.stratification import stratify

SHARES = Split(train=0.6, eval=0.2, test=0.2, stratify="kind")
FOLDS = st.integers(2, records.MAX_FOLDS)
GIVEN = st.sampled_from([None, None, "train", "eval", "test"])
DATA = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30), GIVEN), max_size=60)
"""Of each pair its kind, its group (above 15: none), and its given split."""

Made = list[tuple[str, int, str | None]]


def make_pairs(made: Made, folds: int | None) -> list[Pair]:
    """The pairs of a listing, whose groups are in one split each."""
    pairs = [
        Pair(f"{i:03d}", f"{i}.png", f"{i}-mask.png", split, group=str(g) if g <= 15 else None, slices={"kind": kind})
        for i, (kind, g, split) in enumerate(made)
    ]
    return resolve_groups(without_eval(pairs) if folds else pairs)[0]


def by_hash(pairs: list[Pair], seed: int, folds: int | None) -> list[Candidate]:
    candidates = [Candidate(pair, pair.id, choose_split(pair, pair.id, seed, Split())) for pair in pairs]
    return [with_fold(one, seed, folds) for one in candidates] if folds else candidates


def by_kind(pairs: list[Pair], seed: int, folds: int | None) -> list[Candidate]:
    split = stratify(pairs, seed, SHARES)
    return by_hash(fold_by_strata(split, seed, "kind", folds) if folds else split, seed, folds)


def by_classes(pairs: list[Pair], seed: int, folds: int | None) -> list[Candidate]:
    classes = {pair.id: {0, "abc".index(pair.slices["kind"])} for pair in pairs}
    split = stratify_by_classes(pairs, classes, seed, SHARES)
    return by_hash(fold_by_classes(split, classes, seed, folds) if folds else split, seed, folds)


each_way = pytest.mark.parametrize("divide", [by_hash, by_kind, by_classes])


@each_way
@given(DATA, FOLDS, st.integers(0, 3))
def test_each_pair_outside_test_is_in_one_fold_and_its_group_too(
    divide: object, made: Made, folds: int, seed: int
) -> None:
    candidates = divide(make_pairs(made, folds), seed, folds)  # type: ignore[operator]
    for one in candidates:
        assert (one.fold == 0) == (one.split == "test")
        assert 0 <= one.fold <= folds
        assert (one.fold == 1) == (one.split == "eval")
    groups = {one.pair.group for one in candidates} - {None}
    assert all(len({one.fold for one in candidates if one.pair.group == group}) == 1 for group in groups)


@each_way
@given(DATA, FOLDS, st.integers(0, 3))
def test_the_test_split_does_not_depend_on_the_folds_nor_they_on_the_order_of_listing(
    divide: object, made: Made, folds: int, seed: int
) -> None:
    def in_test(number: int | None) -> set[str]:
        found = divide(make_pairs(made, number), seed, number)  # type: ignore[operator]
        return {one.pair.id for one in found if one.split == "test"}

    assert in_test(None) == in_test(folds) == in_test(2)
    pairs = make_pairs(made, folds)
    there, back = (divide(order, seed, folds) for order in (pairs, pairs[::-1]))  # type: ignore[operator]
    assert {one.pair.id: one.fold for one in there} == {one.pair.id: one.fold for one in back}


@given(DATA, FOLDS, st.integers(0, 3))
def test_strata_have_equally_many_groups_in_each_fold(made: Made, folds: int, seed: int) -> None:
    pairs = [pair for pair in make_pairs(made, folds) if pair.group is None]
    found = [one for one in by_kind(pairs, seed, folds) if one.fold]
    for kind in ("a", "b", "c", "all"):
        counts = Counter(one.fold for one in found if kind in ("all", one.pair.slices["kind"]))
        sizes = [counts[fold] for fold in range(1, folds + 1)]
        assert max(sizes) - min(sizes) <= 1


def test_each_class_is_in_every_fold_and_the_folds_are_of_equal_size() -> None:
    classes = {str(i): {0} | ({1} if i % 2 else set()) | ({2} if i < 20 else set()) for i in range(100)}
    pairs = [Pair(str(i), f"{i}.png", f"{i}-mask.png", "train") for i in range(100)]
    found = fold_by_classes(pairs, classes, 1, 5)
    assert Counter(pair.fold for pair in found if 2 in classes[pair.id]) == dict.fromkeys(range(1, 6), 4)
    sizes = Counter(pair.fold for pair in found)
    assert set(sizes) == {1, 2, 3, 4, 5} and max(sizes.values()) - min(sizes.values()) <= 2


def test_hashed_folds_have_about_equal_shares_and_do_not_follow_the_hash_of_the_split() -> None:
    pairs = [Pair(str(i), f"{i}.png", f"{i}-mask.png") for i in range(5_000)]
    counts = Counter(one.fold for one in by_hash(pairs, 1, 4))
    assert all(counts[fold] == pytest.approx(1_125, abs=120) for fold in range(1, 5))


@pytest.mark.parametrize(
    ("places", "kept"),
    [([("train", 3), ("train", 2)], 2), ([("train", 2), ("eval", 1)], 1), ([("train", 2), ("test", 0)], 0)],
)
def test_the_same_image_in_two_folds_is_a_leak(places: list[tuple[str, int]], kept: int) -> None:
    duplicates = [
        Candidate(Pair(str(i), f"{i}.png", f"{i}-mask.png"), "same", split, fold=fold)
        for i, (split, fold) in enumerate(places)
    ]
    [one], [leak] = resolve_duplicates(duplicates)
    assert one.fold == kept
    assert f"in {'test' if kept == 0 else f'fold {kept}'}; this one is in fold" in leak.detail


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty images, some with given splits."""
    rows = ["image,mask,split,kind"]
    for index in range(30):
        noise_HW3 = np.random.default_rng(index).integers(0, 255, (16, 16, 3), np.uint8)
        mask_HW = np.zeros((16, 16), np.uint8)
        mask_HW[4:9, 4:9] = 1
        Image.fromarray(noise_HW3).save(tmp_path / f"{index}.png")
        Image.fromarray(mask_HW).save(tmp_path / f"{index}-mask.png")
        rows.append(f"{index}.png,{index}-mask.png,{('train', 'eval', 'test')[index % 3]},{'ab'[index % 2]}")
    (tmp_path / "index.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_records_name_their_fold_and_the_summary_counts_them(folder: Path) -> None:
    config = DataConfig.model_validate(
        {
            "source": {"type": "manifest", "root": str(folder), "split_column": "split"},
            "classes": ["background", "thing"],
            "split": {"stratify": "kind", "folds": 4},
        }
    )
    used: list[IngestedExample] = []
    summary, _ = survey(config, 1, on_used=used.append)
    assert [fold.pairs for fold in summary.folds] == [5, 5, 5, 5]
    assert [fold.class_pixels[1] for fold in summary.folds] == [125] * 4
    assert summary.used == {"train": 15, "eval": 5, "test": 10}
    for one in used:
        features = tf.train.Example.FromString(one.record).features.feature
        assert features[records.FOLD].int64_list.value[:] == [one.fold]
