from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.records import SPLITS
from components.example_gen.config import Split
from components.example_gen.pairing import Pair
from components.example_gen.quarantine import Reason
from components.example_gen.splits import (
    Candidate,
    choose_split,
    content_hash,
    resolve_contradictions,
    resolve_duplicates,
    resolve_files,
    resolve_groups,
)

WORDS = st.text(max_size=8)
GIVEN = st.sampled_from([None, *SPLITS])


def pair(name: str, split: str | None = None, group: str | None = None) -> Pair:
    return Pair(name, f"{name}.png", f"{name}_mask.png", split=split, group=group)


@settings(deadline=None)
@given(st.integers(0), WORDS, st.lists(WORDS, min_size=2, max_size=5))
def test_pairs_of_one_group_fall_into_one_split(seed: int, group: str, contents: list[str]) -> None:
    assert len({choose_split(pair("a", group=group), content, seed, Split()) for content in contents}) == 1


@settings(deadline=None)
@given(st.integers(0), WORDS, st.lists(WORDS, min_size=2, max_size=5))
def test_pairs_of_one_content_fall_into_one_split_whatever_their_names(
    seed: int, content: str, names: list[str]
) -> None:
    assert len({choose_split(pair(name), content, seed, Split()) for name in names}) == 1


@settings(deadline=None)
@given(st.lists(st.tuples(GIVEN, st.sampled_from(["", "g", "h"])), max_size=12))
def test_after_settling_no_group_straddles_and_none_is_lost(rows: list[tuple[str | None, str]]) -> None:
    pairs = [pair(str(i), split, group or None) for i, (split, group) in enumerate(rows)]
    kept, leaks = resolve_groups(pairs)
    assert sorted(entry.id for entry in (*kept, *leaks)) == sorted(entry.id for entry in pairs)
    for group in ("g", "h"):
        assert len({choose_split(p, p.id, 1, Split()) for p in kept if p.group == group}) <= 1


@settings(deadline=None)
@given(st.lists(st.sampled_from(SPLITS), min_size=1, max_size=8))
def test_of_twins_those_in_the_most_protected_split_stay(splits: list[str]) -> None:
    kept, leaks = resolve_duplicates(Candidate(pair(str(i)), "same", split) for i, split in enumerate(splits))
    assert {candidate.split for candidate in kept} == {max(splits, key=SPLITS.index)}
    assert len(kept) + len(leaks) == len(splits)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_shares_are_about_what_was_asked_for(seed: int) -> None:
    counts = Counter(choose_split(pair("a"), str(i), seed, Split(train=0.7, eval=0.2, test=0.1)) for i in range(5_000))
    assert counts["train"] / 5_000 == pytest.approx(0.7, abs=0.03)
    assert counts["eval"] / 5_000 == pytest.approx(0.2, abs=0.03)
    assert counts["test"] / 5_000 == pytest.approx(0.1, abs=0.03)


def test_a_split_without_a_share_stays_empty() -> None:
    shares = Split(train=0.5, eval=0, test=0.5)
    assert {choose_split(pair("a"), str(i), 1, shares) for i in range(200)} == {"train", "test"}


def test_where_only_some_splits_are_open_their_shares_are_stretched() -> None:
    some = Pair("a", "a", "a", among=("train", "eval"))
    counts = Counter(choose_split(some, str(i), 1, Split(train=0.6, eval=0.2, test=0.2)) for i in range(2_000))
    assert counts["train"] / 2_000 == pytest.approx(0.75, abs=0.04)
    assert counts["test"] == 0


def test_another_seed_is_another_split() -> None:
    one, other = ([choose_split(pair("a"), str(i), seed, Split()) for i in range(100)] for seed in (1, 2))
    assert one != other


def test_a_given_split_wins() -> None:
    assert choose_split(pair("a", split="test"), "x", 1, Split(train=1, eval=0, test=0)) == "test"


def test_a_leak_names_its_twin() -> None:
    kept, [leak] = resolve_duplicates([Candidate(pair("a"), "same", "train"), Candidate(pair("b"), "same", "test")])
    assert [candidate.pair.id for candidate in kept] == ["b"]
    assert (leak.id, leak.reason) == ("a", Reason.LEAK)
    assert leak.detail == "the image has the same content as 'b' in test; this one is in train"


def test_rows_without_a_split_follow_their_group() -> None:
    kept, leaks = resolve_groups([pair("a", "eval", "g"), pair("b", None, "g"), pair("c", "train", "g"), pair("d")])
    assert {entry.id: entry.split for entry in kept} == {"a": "eval", "b": "eval", "d": None}
    assert [(leak.id, leak.reason) for leak in leaks] == [("c", Reason.LEAK)]


def test_splits_stay_what_they_were_in_every_version() -> None:
    splits = [choose_split(pair("a"), content_hash(bytes([i])), 1, Split()) for i in range(48)]
    initials = {"train": "t", "eval": "E", "test": "T"}
    assert "".join(initials[split] for split in splits) == "tttttttttttttttEttEttTttTtttEtttttTEtttttEtTtTtt"


def test_a_mask_of_several_images_and_a_file_in_both_parts_are_set_aside() -> None:
    pairs = [
        Pair("a", "images/a.png", "masks/one.png"),
        Pair("b", "images/b.png", "./masks/one.png"),
        Pair("c", "images/c.png", "images/c.png"),
        Pair("d", "images/d.png", "masks/d.png"),
        Pair("d again", "images/d.png", "masks/d.png"),
    ]
    kept, refused = resolve_files(pairs)
    assert [entry.id for entry in kept] == ["d", "d again"]
    assert {entry.id: entry.reason for entry in refused} == {
        "a": Reason.SHARED_MASK,
        "b": Reason.SHARED_MASK,
        "c": Reason.SAME_FILE,
    }
    assert "masks/one.png is the mask of 2 images (images/a.png, images/b.png)" in refused[0].detail


def test_of_twins_that_contradict_each_other_all_are_set_aside_and_named() -> None:
    duplicates = [Candidate(pair(name), "same", "train") for name in "abc"]
    kept, refused = resolve_contradictions(duplicates, {"a": "1", "b": "2"})
    assert [candidate.pair.id for candidate in kept] == ["c"]
    assert {entry.id: entry.reason for entry in refused} == dict.fromkeys("ab", Reason.CONTRADICTING_MASKS)
    assert "'a', 'b'" in refused[0].detail
    assert resolve_contradictions(duplicates, {"a": "1", "b": "1"}) == (duplicates, [])


def test_twins_that_stay_are_marked_as_repeated_but_for_the_first() -> None:
    kept, _ = resolve_duplicates(Candidate(pair(name), "same", "train") for name in "abc")
    assert [candidate.repeats for candidate in kept] == [False, True, True]
