"""The same pictures for both sides: ours as the pipeline's compact records, theirs as the files that were ingested."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.seeds.sides import Pair
from common import records
from components.transform import features
from pipeline.config.run_config import RunConfig

_PREPARED = "prepared.json"


class Prepared(NamedTuple):
    """Where the pictures of each split lie."""

    pairs: Mapping[str, Sequence[Pair]]
    """Files, in the order of the pictures' names."""
    record_files: Mapping[str, Sequence[str]]
    """Compact records, in any order."""


def prepare(config: RunConfig, folder: Path, most_pictures: int | None) -> None:
    """Runs the pipeline's steps up to Transform; keeps `most_pictures` of the training split, if told so."""
    from benchmarks.steps import run_until

    _, outputs = run_until(config, "Transform")
    pairs, record_files = {}, {}
    for split in records.SPLITS:
        most = most_pictures if split == "train" else None
        ingested = sorted(Path(outputs["ImageMaskExampleGen"]["examples"], f"Split-{split}").iterdir())
        pairs[split] = _write_pairs(ingested, folder / split, most)
        compact = sorted(Path(outputs["Transform"]["transformed_examples"], f"Split-{split}").iterdir())
        record_files[split] = [str(_copy_records(compact, folder / f"{split}.gz", most))]
    (folder / _PREPARED).write_text(json.dumps({"pairs": pairs, "record_files": record_files}))


def read_prepared(folder: Path) -> Prepared:
    """What `prepare` has left in `folder`."""
    prepared = json.loads((folder / _PREPARED).read_text())
    pairs = {split: [Pair(*pair) for pair in found] for split, found in prepared["pairs"].items()}
    return Prepared(pairs, prepared["record_files"])


def read_masks(record_files: Sequence[str], height: int, width: int) -> np.ndarray:
    """The truth at the model's size, [N, H, W], in the order of the pictures' names."""
    return _stacked(record_files, features.MASK, (height, width))


def read_images(record_files: Sequence[str], height: int, width: int) -> np.ndarray:
    """Pictures [N, H, W, 3] likewise."""
    return _stacked(record_files, features.IMAGE, (height, width, 3))


def _stacked(record_files: Sequence[str], feature: str, shape: tuple[int, ...]) -> np.ndarray:
    examples = _sorted(_examples(record_files, "GZIP"), features.ID)
    return np.stack([np.frombuffer(_bytes(example, feature), np.uint8).reshape(shape) for example in examples])


def _write_pairs(files: Sequence[Path], folder: Path, most: int | None) -> list[Pair]:
    folder.mkdir()
    pairs = []
    for index, example in enumerate(_sorted(_examples(files, ""), records.IMAGE_ID)[:most]):
        image = folder / f"{index:05}.{_bytes(example, records.IMAGE_FORMAT).decode()}"
        mask = folder / f"{index:05}.mask.png"
        image.write_bytes(_bytes(example, records.IMAGE_ENCODED))
        mask.write_bytes(_bytes(example, records.MASK_ENCODED))
        pairs.append(Pair(str(image), str(mask)))
    return pairs


def _copy_records(files: Sequence[Path], target: Path, most: int | None) -> Path:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(target), "GZIP") as writer:
        for example in _sorted(_examples(files, "GZIP"), features.ID)[:most]:
            writer.write(example.SerializeToString())
    return target


def _examples(files: Sequence[Path | str], compression: str) -> Iterator[Any]:
    import tensorflow as tf

    dataset = tf.data.TFRecordDataset([str(file) for file in files], compression)
    return (tf.train.Example.FromString(record) for record in dataset.as_numpy_iterator())


def _sorted(examples: Iterator[Any], name: str) -> list[Any]:
    return sorted(examples, key=lambda example: _bytes(example, name))


def _bytes(example: Any, feature: str) -> bytes:
    return example.features.feature[feature].bytes_list.value[0]
