"""The output folder: complete files, one call at a time, one model and source."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from components.batch_predictor.config import ImagesSource, RecordsSource
from components.batch_predictor.origin import ModelFacts, claim
from components.batch_predictor.out_folder import OutFolder, locked, mask_path
from tests.support.bucket import SCHEME, BucketFileSystem

MODEL = ModelFacts(name="pets", version=3, content_hash="abc" * 20, classes=("ground", "cat"), max_pixels=100)
SOURCE = ImagesSource(root="/data")


@pytest.fixture(params=["", f"{SCHEME}:/"], ids=["disk", "bucket"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> OutFolder:
    assert BucketFileSystem
    return OutFolder(f"{request.param}{tmp_path}/out")


def test_files_are_written_listed_read_and_removed(out: OutFolder) -> None:
    out.write("masks/deep/a.png", b"one")
    out.write("masks/deep/a.png", b"two")
    out.write("masks/deep/b.png", b"x")
    assert out.names("masks/deep") == ["a.png", "b.png"]
    assert out.read("masks/deep/a.png") == b"two"
    out.remove("masks/deep/b.png")
    assert out.names("masks/deep") == ["a.png"]
    out.remove("masks")
    assert out.names("masks/deep") == []


def test_a_missing_file_is_told_apart(out: OutFolder) -> None:
    with pytest.raises(FileNotFoundError):
        out.read("gone")
    assert out.names("gone") == []


def test_images_that_differ_in_their_suffix_have_masks_of_their_own() -> None:
    assert mask_path("deep/a.jpg") == "masks/deep/a.jpg.mask.png"
    assert mask_path("deep/a.png") == "masks/deep/a.png.mask.png"


def test_a_second_call_at_the_same_time_is_refused(tmp_path: Path) -> None:
    folder = OutFolder(str(tmp_path))
    with locked(folder), pytest.raises(UserError, match="another prediction writes to"), locked(folder):
        pass


def test_a_folder_keeps_its_model_source_and_number_of_shards(out: OutFolder) -> None:
    first = claim(out, MODEL, SOURCE, 250, overwrite=False)
    assert first.shards == 3
    assert claim(out, MODEL, SOURCE, 9999, overwrite=False) == first


@pytest.mark.parametrize(
    ("model", "source", "words"),
    [
        (
            MODEL.model_copy(update={"version": 4, "content_hash": "f" * 60}),
            SOURCE,
            r"version 3 of pets \(abcabcabcabc\)",
        ),
        (
            MODEL,
            ImagesSource(root="/other"),
            "predictions of images .* in /data, and this call is for images .* in /other",
        ),
        (MODEL, RecordsSource(root="/data"), "name another output folder, or remove them with --overwrite"),
    ],
)
def test_another_model_or_source_is_refused_unless_the_folder_is_overwritten(
    tmp_path: Path, model: ModelFacts, source: ImagesSource | RecordsSource, words: str
) -> None:
    folder = OutFolder(str(tmp_path))
    claim(folder, MODEL, SOURCE, 1, overwrite=False)
    folder.write("masks/a.png.mask.png", b"x")
    (tmp_path / "notes.txt").write_text("not ours")
    with pytest.raises(UserError, match=words):
        claim(folder, model, source, 1, overwrite=False)
    assert claim(folder, model, source, 1, overwrite=True).model == model
    assert folder.names("") == [".staging", "notes.txt", "predictions.json"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_files_of_somebody_else_are_never_touched(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "masks").mkdir()
    with pytest.raises(UserError, match=r"no predictions\.json"):
        claim(OutFolder(str(tmp_path)), MODEL, SOURCE, 1, overwrite)


def test_an_address_of_an_unknown_kind_is_one_sentence() -> None:
    message = "cannot write the folder s33://team/masks: the kind of address is unknown"
    with pytest.raises(UserError, match=message), locked(OutFolder("s33://team/masks")):
        pass
