"""Reading .safetensors files: their values, and what is refused before an array is read."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from common.errors import UserError
from components.trainer.safetensors_file import read_safetensors
from tests.support.safetensors import write_safetensors

ARRAY = np.array([[1.5, -2.0, 0.25]], np.float32)


@pytest.mark.parametrize(
    ("type", "stored"),
    [
        ("F32", ARRAY),
        ("F64", ARRAY.astype("<f8")),
        ("F16", ARRAY.astype("<f2")),
        ("BF16", (ARRAY.view(np.uint32) >> 16).astype("<u2")),
    ],
)
def test_floating_point_is_read_as_float32(type: str, stored: np.ndarray, tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "a.safetensors", {"some.weight": stored, "empty": stored[:0]}, type)
    read = read_safetensors(path)
    assert read["some.weight"].dtype == np.float32
    np.testing.assert_array_equal(read["some.weight"], ARRAY)
    assert read["empty"].shape == (0, 3)


def test_whole_numbers_are_left_out(tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "a.safetensors", {"num_batches_tracked": np.array(3)}, "I64")
    assert read_safetensors(path) == {}


@pytest.mark.parametrize("content", [pickle.dumps([1]), b"PK\x03\x04" + bytes(60)])
def test_a_pickle_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(UserError, match=r"model\.bin is a pickle of PyTorch, which can run code when it is read"):
        read_safetensors(tmp_path / "model.bin")


def file_with(header: object) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(12)


def entry(shape: list[int], offsets: list[int]) -> dict[str, object]:
    return {"a": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "not a .safetensors file"),
        (b"\xff" * 8 + b"{}", r"its header would have \d+ bytes"),
        (file_with([1]), "not a .safetensors file"),
        (file_with({"a": {"dtype": "F32"}}), "not a .safetensors file"),
        (file_with(entry([3], [0, 16])), "a is beyond its end"),
        (file_with(entry([3], [-4, 8])), "a is beyond its end"),
        (file_with(entry([1 << 40], [0, 12])), "a has another size than its shape says"),
        (file_with(entry([-3], [0, 12])), "a has another size than its shape says"),
    ],
)
def test_a_broken_file_is_refused(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=problem):
        read_safetensors(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none\.safetensors: No such file"):
        read_safetensors(tmp_path / "none.safetensors")
