"""Reads the features of a record, which is a `tf.train.Example`; without TensorFlow."""

from __future__ import annotations

from typing import Any

from common.records import IMAGE_ID, SLICE_PREFIX


def first_bytes(features: Any, name: str) -> bytes:
    """Returns the first value of a bytes feature; `features` maps names to features."""
    value: bytes = features[name].bytes_list.value[0]
    return value


def image_id(features: Any) -> str:
    """Returns the name of a record's pair."""
    return first_bytes(features, IMAGE_ID).decode("utf-8", "replace")


def slices_of(features: Any) -> dict[str, str]:
    """Returns the slicing columns of a record and its values in them, by name."""
    names = sorted(name for name in features if name.startswith(SLICE_PREFIX))
    return {
        name.removeprefix(SLICE_PREFIX): first_bytes(features, name).decode("utf-8", "replace")
        for name in names
        if features[name].bytes_list.value
    }
