"""Ingestion as TFX runs it, on Beam, with real records read back by TensorFlow."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts

from common import progress, records
from common.errors import UserError
from components.artifacts import Quarantine
from components.example_gen.check import survey
from components.example_gen.config import DataConfig, IndexLabels, ManifestSource, Split
from components.example_gen.executor import Executor
from components.example_gen.quarantine import IngestionSummary, Quarantined, Reason
from components.example_gen.sources import data_fingerprint
from tests.support.data_set import DataSet, blocks, encode, photo
from tests.support.mask_files import palette_image

ONE_MACHINE = ["--runner=FnApiRunner", "--sdk_container_image=unused"]


def ingest(config: DataConfig, out: Path, seed: int = 1) -> standard_artifacts.Examples:
    examples, quarantine = standard_artifacts.Examples(), Quarantine()
    examples.uri, quarantine.uri = str(out / "examples"), str(out / "quarantine")
    context = BaseBeamExecutor.Context(beam_pipeline_args=ONE_MACHINE, unique_id="1")
    properties = {"data_config": config.model_dump_json(), "seed": seed, "data_fingerprint": "", "code": ""}
    Executor(context).Do({}, {"examples": [examples], "quarantine": [quarantine]}, properties)
    return examples


def account(out: Path) -> tuple[IngestionSummary, list[Quarantined]]:
    lines = (out / "quarantine/quarantine.jsonl").read_text().splitlines()
    summary = IngestionSummary.model_validate_json((out / "quarantine/summary.json").read_text())
    return summary, [Quarantined.model_validate(json.loads(line)) for line in lines]


def read(out: Path, split: str) -> list[dict[str, Any]]:
    files = sorted(map(str, (out / f"examples/Split-{split}").iterdir()))
    examples = [tf.train.Example.FromString(data.numpy()) for data in tf.data.TFRecordDataset(files)]
    return [
        {name: list(getattr(f, f.WhichOneof("kind")).value) for name, f in example.features.feature.items()}
        for example in examples
    ]


def contents(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*")) if file.is_file()}


@pytest.fixture
def quirky(data_set: DataSet) -> DataSet:
    for number in range(30):
        data_set.add(f"{number:02d}", image=photo(seed=number // 2))
    data_set.add("jpeg", image=encode(photo(seed=90), "JPEG"))
    data_set.add("tiff", image=encode(photo(seed=91), "TIFF"))
    data_set.add("large mask", image=photo(seed=92), mask=blocks().repeat(2, axis=0).repeat(2, axis=1))
    data_set.add("broken", image=encode(photo(seed=93), "JPEG")[:300])
    data_set.add("unknown", image=photo(seed=94), mask=blocks(values=(0, 9)))
    data_set.write("images/alone.png", encode(photo()))
    return data_set


def test_records_hold_the_pictures_and_canonical_masks_of_all_pairs_used(quirky: DataSet, tmp_path: Path) -> None:
    ingest(quirky.config(split=Split(train=0.5, eval=0.25, test=0.25), shard_bytes=10_000), tmp_path / "out")
    found = {r[records.IMAGE_ID][0].decode(): r for split in records.SPLITS for r in read(tmp_path / "out", split)}
    assert len(found) == 33
    for name, record in found.items():
        image_HWC = tf.io.decode_image(record[records.IMAGE_ENCODED][0], channels=3).numpy()
        stored = (quirky.root / f"images/{name}.png").read_bytes()
        if name == "tiff":
            np.testing.assert_array_equal(image_HWC, np.asarray(Image.open(io.BytesIO(stored))))
        else:
            assert record[records.IMAGE_ENCODED] == [stored]
        assert [record[records.IMAGE_HEIGHT][0], record[records.IMAGE_WIDTH][0]] == list(image_HWC.shape[:2])
        mask_HW = tf.io.decode_png(record[records.MASK_ENCODED][0], channels=1).numpy()[..., 0]
        np.testing.assert_array_equal(mask_HW, blocks())
        luma = tf.image.rgb_to_grayscale(image_HWC).numpy() / 255
        assert record[records.IMAGE_BRIGHTNESS][0] == pytest.approx(luma.mean(), abs=0.004)


def test_every_pair_is_accounted_for_and_a_survey_says_the_same(quirky: DataSet, tmp_path: Path) -> None:
    ingest(quirky.config(), tmp_path / "out")
    summary, quarantined = account(tmp_path / "out")
    assert summary.found == sum(summary.used.values()) + len(quarantined) == 36
    assert {entry.id: entry.reason for entry in quarantined} == {
        "alone": Reason.MISSING_MASK,
        "broken": Reason.UNREADABLE,
        "unknown": Reason.UNKNOWN_LABEL,
    }
    assert (summary, quarantined) == survey(quirky.config(), seed=1)


def test_the_same_input_gives_the_same_bytes(quirky: DataSet, tmp_path: Path) -> None:
    config = quirky.config(shard_bytes=10_000)
    for out in ("one", "other"):
        ingest(config, tmp_path / out)
    assert contents(tmp_path / "one") == contents(tmp_path / "other")


def test_records_lie_in_several_files_in_the_order_of_their_ids(quirky: DataSet, tmp_path: Path) -> None:
    ingest(quirky.config(shard_bytes=10_000), tmp_path / "out")
    files = sorted((tmp_path / "out/examples/Split-train").iterdir())
    assert len(files) > 2
    assert [file.name for file in files] == [f"data_tfrecord-{i:05d}-of-{len(files):05d}" for i in range(len(files))]
    for file in files:
        data = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
        ids = [tf.train.Example.FromString(d).features.feature["image/id"].bytes_list.value[0] for d in data]
        assert ids == sorted(ids)


def test_an_empty_split_has_an_empty_file_for_its_readers(data_set: DataSet, tmp_path: Path) -> None:
    data_set.add("a")
    ingest(data_set.config(split=Split(train=1, eval=0, test=0)), tmp_path / "out")
    assert [len(read(tmp_path / "out", split)) for split in records.SPLITS] == [1, 0, 0]
    assert (tmp_path / "out/examples/Split-test/data_tfrecord-00000-of-00001").stat().st_size == 0


def test_the_artifact_says_what_it_is(data_set: DataSet, tmp_path: Path) -> None:
    data_set.add("a")
    examples = ingest(data_set.config(), tmp_path / "out")
    assert json.loads(examples.split_names) == ["train", "eval", "test"]
    assert examples_utils.get_payload_format(examples) == example_gen_pb2.FORMAT_TF_EXAMPLE
    fingerprint = data_fingerprint(data_set.config().source)
    assert examples.get_string_custom_property("fingerprint") == fingerprint
    assert account(tmp_path / "out")[0].data_fingerprint == fingerprint
    assert {path.name for path in (tmp_path / "out/examples").iterdir()} == {"Split-train", "Split-eval", "Split-test"}


def test_a_second_attempt_into_the_same_folder_leaves_no_trace_of_the_first(quirky: DataSet, tmp_path: Path) -> None:
    ingest(quirky.config(), tmp_path / "clean")
    (tmp_path / "out/examples/.staging").mkdir(parents=True)
    (tmp_path / "out/examples/.staging/half").write_bytes(b"half a file")
    (tmp_path / "out/examples/Split-train").mkdir()
    (tmp_path / "out/examples/Split-train/data_tfrecord-00000-of-00001").write_bytes(b"an older file")
    ingest(quirky.config(), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")


def test_a_leak_is_found_on_beam_too(data_set: DataSet, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        data_set.add(name, image=photo(seed=seed))
    rows = "images/a.png,masks/a.png,train\nimages/b.png,masks/b.png,eval\nimages/c.png,masks/c.png,train\n"
    data_set.write("index.csv", b"image,mask,split\n" + rows.encode())
    ingest(data_set.config(source=ManifestSource(root=str(data_set.root), split_column="split")), tmp_path / "out")
    summary, [leak] = account(tmp_path / "out")
    assert (leak.id, leak.reason) == ("images/a", Reason.LEAK)
    assert summary.used == {"train": 1, "eval": 1, "test": 0}


def test_contradictions_and_shared_files_are_found_on_beam_too(data_set: DataSet, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2), ("d", 3), ("e", 4)):
        data_set.add(name, image=photo(seed=seed), mask=blocks(values=(0, 1) if name == "a" else (0, 2)))
    shared = ["a,a", "b,b", "c,c", "d,c"]
    rows = [f"images/{image}.png,masks/{mask}.png" for image, mask in (row.split(",") for row in shared)]
    rows.append("images/e.png,images/e.png")
    data_set.add("f")
    rows.append("images/f.png,masks/f.png")
    data_set.write("index.csv", ("image,mask\n" + "\n".join(rows) + "\n").encode())
    config = data_set.config(source=ManifestSource(root=str(data_set.root)))
    ingest(config, tmp_path / "out")
    summary, quarantined = account(tmp_path / "out")
    assert {entry.id: entry.reason for entry in quarantined} == {
        "images/a": Reason.CONTRADICTING_MASKS,
        "images/b": Reason.CONTRADICTING_MASKS,
        "images/c": Reason.SHARED_MASK,
        "images/d": Reason.SHARED_MASK,
        "images/e": Reason.SAME_FILE,
    }
    assert (summary, quarantined) == survey(config, seed=1)


def test_beam_counts_values_and_palettes_as_a_survey_does(data_set: DataSet, tmp_path: Path) -> None:
    colours = [[(0, 0, 0), (255, 0, 0), (9, 0, 0)], [(255, 0, 0), (0, 0, 0), (9, 0, 0)]]
    for number in range(20):
        mask = palette_image(blocks(values=(0, 1)), colours[number % 7 == 3])
        mask = mask if number % 2 else blocks(values=(0, 1, 2, 7, 255))
        data_set.add(f"{number:02d}", image=photo(seed=number), mask=mask)
    config = data_set.config(labels=IndexLabels(unknown="void"), shard_bytes=10_000)
    ingest(config, tmp_path / "out")
    summary, quarantined = account(tmp_path / "out")
    assert (summary, quarantined) == survey(config, seed=1)
    assert [(c.index, c.first, c.second) for c in summary.labels.palettes] == [
        (0, "masks/01.png", "masks/03.png"),
        (1, "masks/01.png", "masks/03.png"),
    ]
    assert {value.value: (value.class_name, value.masks) for value in summary.labels.values} == {
        "0": ("background", 20),
        "1": ("thing", 20),
        "2": ("other", 10),
        "255": (None, 10),
    }
    assert [(value.value, value.masks) for value in summary.labels.unknown] == [("7", 10)]


def test_a_person_is_told_how_it_went(
    quirky: DataSet, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.progress_counter._SECONDS", 0)
    with caplog.at_level(logging.INFO, logger=progress.LOGGER_NAME):
        ingest(quirky.config(), tmp_path / "out")
    said = [record.getMessage() for record in caplog.records if record.name == progress.LOGGER_NAME]
    assert "ingested 35 of 35 pairs" in said
    used = account(tmp_path / "out")[0].used
    assert said[-1] == (
        f"33 pairs: {used['train']} train, {used['eval']} eval, {used['test']} test; "
        "3 quarantined (1 missing_mask, 1 unknown_label, 1 unreadable)"
    )


def test_where_no_pair_can_be_used_the_first_reason_is_the_error(data_set: DataSet, tmp_path: Path) -> None:
    data_set.add("a", mask=blocks(values=(0, 9)))
    data_set.add("b", mask=blocks(values=(0, 9)))
    with pytest.raises(UserError, match="no usable pair among 2; first failure: a: unknown_label"):
        ingest(data_set.config(), tmp_path / "out")
    summary, entries = account(tmp_path / "out")
    assert len(entries) == 2
    assert sum(cause.count for cause in summary.causes) == 2
