"""Raw tensors of the Open Inference Protocol: what is packed is read again, and what lies about its size is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from segpipe_client.v2_tensors import datatype_of, pack, pack_bytes, unpack, unpack_bytes

NUMBERS = (
    arrays.boolean_dtypes() | arrays.integer_dtypes() | arrays.unsigned_integer_dtypes() | arrays.floating_dtypes()
)
numbers = arrays.arrays(NUMBERS.filter(lambda dtype: dtype.itemsize <= 8), arrays.array_shapes(min_side=0, max_side=4))


@given(numbers)
def test_numbers_arrive_as_they_were_packed(values: np.ndarray) -> None:
    read = unpack(datatype_of(values), values.shape, pack(values))
    assert read.shape == values.shape
    assert read.dtype == values.dtype.newbyteorder("<")
    np.testing.assert_array_equal(read, values)


@given(st.lists(st.binary(max_size=50), max_size=6))
def test_byte_strings_arrive_as_they_were_packed(values: list[bytes]) -> None:
    assert unpack_bytes(pack_bytes(values), len(values)) == values
    array_1B = np.empty([1, len(values)], object)
    array_1B[0, :] = values
    assert unpack("BYTES", [1, len(values)], pack(array_1B)).tolist() == [values]


def test_the_format_is_a_length_of_four_bytes_and_the_content() -> None:
    assert pack_bytes([b"ab", b""]) == b"\2\0\0\0ab\0\0\0\0"
    assert pack(np.array([[1, -2]], np.int16)) == b"\1\0\xfe\xff"


@given(st.binary(max_size=200), st.integers(0, 5))
def test_whatever_comes_is_read_or_refused(data: bytes, limit: int) -> None:
    try:
        values = unpack_bytes(data, limit)
    except ValueError:
        return
    assert len(values) <= limit
    assert pack_bytes(values) == data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (struct.pack("<I", 2**32 - 1) + b"x", "element 0 says 4294967295 bytes, and 1 follow"),
        (b"\1\0\0", "ends within the length of element 0"),
        (b"\0\0\0\0" * 9, "holds more than 8 elements"),
    ],
)
def test_lengths_that_lie_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        unpack_bytes(data, 8)


@pytest.mark.parametrize(
    ("datatype", "shape", "data", "words"),
    [
        ("FP32", [2**40, 2**40], b"\0" * 4, "and it holds 4"),
        ("FP32", [-1], b"\0" * 4, "is negative"),
        ("BYTES", [2], b"\0\0\0\0", "its shape says 2 values, and it holds 1"),
        ("BYTES", [0], b"\0\0\0\0", "holds more than 0 elements"),
        ("FP8", [1], b"\0", "unknown datatype 'FP8'"),
    ],
)
def test_shapes_that_lie_are_refused_before_anything_is_allocated(
    datatype: str, shape: list[int], data: bytes, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        unpack(datatype, shape, data)
