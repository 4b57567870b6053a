from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from registry.errors import CorruptRecordError
from registry.storage import open_storage
from registry.store import Registry


@pytest.fixture
def statistics_dir(tmp_path: Path) -> str:
    folder = tmp_path / "statistics"
    for split in ("train", "eval"):
        (folder / f"Split-{split}").mkdir(parents=True)
        (folder / f"Split-{split}" / "FeatureStats.pb").write_text(split)
    return str(folder)


def test_statistics_come_back_as_they_were_recorded(uri, statistics_dir):
    Registry(uri).record_statistics("f1", statistics_dir)
    fingerprint, location = Registry(uri).latest_statistics(other_than="f2")
    assert fingerprint == "f1"
    assert open_storage(location).files() == ["Split-eval/FeatureStats.pb", "Split-train/FeatureStats.pb"]
    assert open_storage(location).read("Split-eval/FeatureStats.pb") == b"eval"


def test_data_is_never_compared_with_itself(uri, statistics_dir):
    registry = Registry(uri)
    assert registry.latest_statistics(other_than="f1") is None
    registry.record_statistics("f1", statistics_dir)
    assert registry.latest_statistics(other_than="f1") is None
    registry.record_statistics("f2", statistics_dir)
    assert registry.latest_statistics(other_than="f2").fingerprint == "f1"
    assert registry.latest_statistics(other_than="f3").fingerprint == "f2"


def test_recording_again_moves_nothing(uri, statistics_dir, tmp_path):
    registry = Registry(uri)
    registry.record_statistics("f1", statistics_dir)
    registry.record_statistics("f2", statistics_dir)
    Path(statistics_dir, "Split-train", "FeatureStats.pb").write_text("other")
    registry.record_statistics("f1", statistics_dir)
    assert registry.latest_statistics(other_than="f3").fingerprint == "f2"
    kept = registry.latest_statistics(other_than="f2").location
    assert open_storage(kept).read("Split-train/FeatureStats.pb") == b"train"


def test_a_single_file_is_kept_under_its_name(uri, statistics_dir):
    Registry(uri).record_statistics("f1", f"{statistics_dir}/Split-train/FeatureStats.pb")
    assert open_storage(Registry(uri).latest_statistics("f2").location).files() == ["FeatureStats.pb"]


def test_statistics_that_are_not_there_are_refused(uri, tmp_path):
    with pytest.raises(UserError, match="no statistics at"):
        Registry(uri).record_statistics("f1", str(tmp_path / "nowhere"))


def test_a_damaged_index_is_named(uri, statistics_dir, tamper):
    tamper(uri, "statistics/index.json", b"[]")
    with pytest.raises(CorruptRecordError, match=r"index.json cannot be read"):
        Registry(uri).latest_statistics("f1")


@pytest.mark.parametrize("fingerprint", ["", "..", "a/b", ".hidden"])
def test_a_fingerprint_is_a_plain_word(uri, statistics_dir, fingerprint):
    with pytest.raises(ValueError, match="is not a fingerprint"):
        Registry(uri).record_statistics(fingerprint, statistics_dir)
