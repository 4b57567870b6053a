"""Predictions as JSON, of anything that somebody may send."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.errors import ServingError
from serving.protocol.rest_json import parse_predict, predict_json

SIGNATURE = SimpleNamespace(input="image")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("aA=*[", max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["b64", "image", "x"]), inner),
    max_leaves=12,
)


def parse(document: object):  # type: ignore[no-untyped-def]
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return parse_predict(body, lambda _: SIGNATURE)  # type: ignore[arg-type, return-value]


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5), st.booleans(), st.booleans())
def test_bytes_arrive_as_they_were_sent(pictures: list[bytes], named: bool, rows: bool) -> None:
    encoded = [{"b64": base64.b64encode(picture).decode()} for picture in pictures]
    document: dict[str, object] = {"inputs": {"image": encoded} if named else encoded}
    if rows:
        document = {"instances": [{"image": one} for one in encoded] if named else encoded}
    request = parse(document)
    assert request.inputs == pictures
    assert request.rows is rows


@given(st.dictionaries(st.sampled_from(["instances", "inputs", "signature_name"]), values))
def test_whatever_comes_is_read_or_refused(document: dict[str, object]) -> None:
    try:
        assert all(isinstance(value, bytes) for value in parse(document).inputs)
    except ServingError as error:
        assert error.http_status == 400


@given(st.binary(max_size=300))
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(ServingError):
        parse(body)


@given(st.binary(max_size=60), st.integers(0, 80))
def test_base64_may_have_white_space_and_lack_its_padding(data: bytes, at: int) -> None:
    text = base64.b64encode(data).decode().rstrip("=")
    assert parse({"inputs": [{"b64": f"{text[:at]}\n {text[at:]}"}]}).inputs == [data]


def test_what_is_shown_of_a_large_value_is_short() -> None:
    with pytest.raises(ServingError) as caught:
        parse({"instances": 5, "more": "x" * 100_000})
    assert len(caught.value.message) < 250


OUTPUTS = {
    "mask_bytes": np.array([b"\x89PNG", b"\xff"], dtype=object),
    "name": np.array([b"a", "ä".encode()], dtype=object),
    "share": np.array([[0.1, 1], [1e-8, 3e38]], np.float32),
    "count": np.array([1, 2**60]),
}


def test_rows_and_columns_hold_the_same() -> None:
    rows = json.loads(predict_json(OUTPUTS, rows=True))["predictions"]
    columns = json.loads(predict_json(OUTPUTS, rows=False))["outputs"]
    assert {name: [row[name] for row in rows] for name in columns} == columns
    assert columns["mask_bytes"] == [{"b64": "iVBORw=="}, {"b64": "/w=="}]
    assert columns["name"] == ["a", "ä"]
    assert columns["count"] == [1, 2**60]
    np.testing.assert_array_equal(np.float32(columns["share"]), OUTPUTS["share"])


def test_floats_are_written_as_short_as_they_can_be_read_back() -> None:
    assert b"[[0.1,1.0],[1e-8,3e+38]]" in predict_json({"share": OUTPUTS["share"]}, rows=True)


def test_bytes_under_a_name_for_text_are_an_error_and_no_broken_json() -> None:
    with pytest.raises(ServingError, match="does not end in _bytes"):
        predict_json({"mask": OUTPUTS["mask_bytes"]}, rows=True)
