"""Whole data sets with the quirks of real ones: each pair is taken, or set aside with its reason."""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import UserError
from components.example_gen.check import survey
from components.example_gen.config import IndexLabels, Limits, ManifestSource, SizeBuckets, Split
from components.example_gen.quarantine import Reason
from tests.support.data_set import DataSet, blocks, encode, photo


def test_every_pair_is_used_or_set_aside_with_its_reason(data_set: DataSet) -> None:
    for number in range(6):
        data_set.add(f"good{number}")
    data_set.add("background only", mask=blocks(values=(0,)))
    data_set.add("void only", mask=blocks(values=(255,)))
    data_set.add("unknown", mask=blocks(values=(0, 77)))
    data_set.add("truncated", image=encode(photo(), "JPEG")[:-200])
    data_set.add("other aspect", mask=blocks(24, 32))
    data_set.add("text", image=b"hello")
    data_set.write("images/no mask.png", encode(photo()))
    data_set.write("masks/no image.png", encode(blocks()))
    data_set.write("images/.DS_Store", b"x")
    summary, quarantined = data_set.survey()
    assert {entry.id: entry.reason for entry in quarantined} == {
        "void only": Reason.ALL_VOID,
        "unknown": Reason.UNKNOWN_LABEL,
        "truncated": Reason.UNREADABLE,
        "other aspect": Reason.SIZE_MISMATCH,
        "text": Reason.UNSUPPORTED_FORMAT,
        "no mask": Reason.MISSING_MASK,
        "no image": Reason.MISSING_IMAGE,
    }
    assert summary.found == 14
    assert sum(summary.used.values()) == 7
    assert summary.strays == 1


def test_the_detail_says_whether_it_is_the_image_or_the_mask(data_set: DataSet) -> None:
    data_set.add("a")
    data_set.add("b", image=b"hello")
    data_set.add("c", mask=b"hello")
    details = {entry.id: entry.detail for entry in data_set.survey()[1]}
    assert details["b"].startswith("image: the file starts with b'hello'")
    assert details["c"].startswith("mask: the file starts with b'hello'")


def test_files_over_the_limits_are_set_aside(data_set: DataSet) -> None:
    data_set.add("small")
    data_set.add("many pixels", image=photo(320, 240), mask=blocks(320, 240))
    data_set.add("many bytes", image=encode(photo()) + bytes(200_000))
    reasons = data_set.reasons(limits=Limits(max_pixels=32 * 24, max_bytes=190_000))
    assert reasons == {"many pixels": Reason.TOO_LARGE, "many bytes": Reason.TOO_LARGE}


def test_one_image_under_two_names_falls_into_one_split(data_set: DataSet) -> None:
    for number in range(40):
        data_set.add(f"{number}a", image=photo(seed=number))
        data_set.add(f"{number}b", image=photo(seed=number))
    summary, quarantined = data_set.survey(split=Split(train=0.4, eval=0.3, test=0.3))
    assert not quarantined
    assert all(count and count % 2 == 0 for count in summary.used.values())


def test_one_image_in_two_given_splits_stays_in_the_protected_one(data_set: DataSet) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        data_set.add(name, image=photo(seed=seed))
    rows = [
        f"images/{name}.png,masks/{name}.png,{split}" for name, split in (("a", "train"), ("b", "test"), ("c", "train"))
    ]
    data_set.write("index.csv", ("image,mask,split\n" + "\n".join(rows)).encode())
    source = ManifestSource(root=str(data_set.root), split_column="split")
    summary, [leak] = data_set.survey(source=source)
    assert (leak.id, leak.reason) == ("images/a", Reason.LEAK)
    assert "'images/b' in test" in leak.detail
    assert summary.used == {"train": 1, "eval": 0, "test": 1}


def test_frames_of_one_video_do_not_straddle_splits(data_set: DataSet) -> None:
    rows = []
    for number in range(40):
        data_set.add(str(number), image=photo(seed=number))
        rows.append(f"images/{number}.png,masks/{number}.png,film{number // 10}")
    data_set.write("index.csv", ("image,mask,film\n" + "\n".join(rows)).encode())
    source = ManifestSource(root=str(data_set.root), group_column="film")
    summary, _ = data_set.survey(source=source, split=Split(train=0.4, eval=0.3, test=0.3))
    assert all(count % 10 == 0 for count in summary.used.values())
    assert not summary.slices


def test_classes_that_never_occur_or_once_only_are_counted_so(data_set: DataSet) -> None:
    data_set.add("a", mask=blocks(values=(0,)))
    data_set.add("b", mask=blocks(values=(0, 2, 255)))
    summary, _ = data_set.survey(split=Split(train=1, eval=0, test=0))
    assert summary.class_pictures["train"] == (2, 0, 1)
    assert summary.class_pixels["train"] == (32 * 24 + 11 * 24, 0, 11 * 24)
    assert summary.void_pixels["train"] == 10 * 24
    assert summary.class_pictures["test"] == (0, 0, 0)


def test_buckets_become_slices(data_set: DataSet) -> None:
    data_set.add("small")
    data_set.add("large", image=photo(64, 48), mask=blocks(64, 48))
    summary, _ = data_set.survey(buckets={"size": SizeBuckets(feature="image_pixels", edges=(1000,))})
    assert summary.slices == {"size": {"<1000": 1, "≥1000": 1}}


def test_a_bucket_with_the_name_of_a_column_is_an_error(data_set: DataSet) -> None:
    data_set.add("a")
    data_set.write("index.csv", b"image,mask,size\nimages/a.png,masks/a.png,big\n")
    with pytest.raises(UserError, match="bucket 'size' has the name of a slicing column"):
        data_set.survey(
            source=ManifestSource(root=str(data_set.root)),
            buckets={"size": SizeBuckets(feature="image_pixels", edges=(1000,))},
        )


def test_a_file_that_vanishes_after_listing_is_set_aside(data_set: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    data_set.add("a")
    data_set.add("b")
    from components.example_gen.sources import FilePairs

    listing = FilePairs.listing

    def list_and_lose(self: FilePairs) -> object:
        found = listing(self)
        (data_set.root / "images/b.png").unlink()
        return found

    monkeypatch.setattr(FilePairs, "listing", list_and_lose)
    assert data_set.reasons() == {"b": Reason.UNREADABLE}


def test_progress_is_told(data_set: DataSet) -> None:
    for name in "abc":
        data_set.add(name)
    told: list[tuple[int, int]] = []
    survey(data_set.config(labels=IndexLabels()), 1, lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_the_count_of_pixels_is_exact_over_many_pairs(data_set: DataSet) -> None:
    generator = np.random.default_rng(5)
    total = np.zeros(3, int)
    for number in range(12):
        mask = generator.integers(0, 3, (24, 32), dtype=np.uint8)
        total += np.bincount(mask.ravel(), minlength=3)
        data_set.add(str(number), mask=mask)
    summary, _ = data_set.survey()
    assert np.sum(list(summary.class_pixels.values()), axis=0).tolist() == total.tolist()


def test_one_image_with_contradicting_masks_is_set_aside_under_both_names(data_set: DataSet) -> None:
    data_set.add("a", image=photo(seed=1))
    data_set.add("b", image=photo(seed=1), mask=blocks(values=(2, 1, 0)))
    data_set.add("c")
    summary, quarantined = data_set.survey()
    assert {entry.id: entry.reason for entry in quarantined} == dict.fromkeys("ab", Reason.CONTRADICTING_MASKS)
    assert sum(summary.used.values()) == 1


def test_masks_that_differ_as_files_and_agree_as_classes_do_not_contradict(data_set: DataSet) -> None:
    data_set.add("a", image=photo(seed=1))
    data_set.add("b", image=photo(seed=1), mask=np.dstack([blocks()] * 3))
    summary, quarantined = data_set.survey(split=Split(train=1, eval=0, test=0))
    assert not quarantined
    assert summary.repeated == {"train": 1}


@pytest.mark.parametrize("way", ["copy", "link", "hard link"])
def test_an_image_that_is_its_own_mask_is_set_aside_under_any_name(data_set: DataSet, way: str) -> None:
    data_set.add("a", image=blocks(values=(0, 1)), mask=blocks())
    mask = data_set.root / "masks/a.png"
    mask.unlink()
    image = data_set.root / "images/a.png"
    if way == "copy":
        mask.write_bytes(image.read_bytes())
    elif way == "link":
        mask.symlink_to(image)
    else:
        mask.hardlink_to(image)
    assert data_set.reasons() == {"a": Reason.SAME_FILE}


def test_masks_of_equal_content_in_files_of_their_own_are_fine(data_set: DataSet) -> None:
    for name in "abc":
        data_set.add(name, mask=blocks(values=(0,)))
    assert not data_set.reasons()
