"""Reading JSON with the items of one list left out: the same content and the same errors as reading it whole."""

from __future__ import annotations

from typing import Any

import pytest

from common.errors import UserError
from components.example_gen.annotations.json_file import read_item, read_json, read_json_with_list, repeated_key

Visited = list[tuple[Any, int, int]]


def visited(data: bytes) -> tuple[Any, str, Visited]:
    items: Visited = []
    content, text = read_json_with_list(data, "file", "annotations", lambda *item: items.append(item))
    return content, text, items


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b" { }\n",
        b"[1, 2]",
        b"3",
        b'{"annotations": [], "a": 1}',
        b'{"a": [1, {"b": 2}], "annotations":[ {"id": 1} ,\n{"id": 2, "x": [1, 2]} ] , "c": null}\n',
        b'{"annotations": {"x": 1}}',
        b'{"a": {"annotations": [1, 2]}}',
        '\ufeff{"ä": "ö", "annotations": [{"q": "é"}]}'.encode(),
    ],
)
def test_the_content_is_that_of_the_file(data: bytes) -> None:
    content, text, items = visited(data)
    assert [read_item(text, start, end) for _, start, end in items] == [item for item, _, _ in items]
    whole = read_json(data, "file")
    if isinstance(whole, dict) and isinstance(whole.get("annotations"), list):
        assert [item for item, _, _ in items] == whole["annotations"]
        whole["annotations"] = []
    assert content == whole


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a"}',
        b'{"a": 1 "b": 2}',
        b"{a: 1}",
        b"{} x",
        b'{"annotations": [1 2]}',
        b'{"annotations": [',
        b"\xff",
        b'{"annotations": [' + b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_told_with_the_same_words(data: bytes) -> None:
    with pytest.raises(UserError) as whole:
        read_json(data, "file")
    with pytest.raises(UserError) as in_parts:
        visited(data)
    assert str(in_parts.value) == str(whole.value)


@pytest.mark.parametrize("data", [b'{"a": 1,}', b'{"annotations": [1,]}', b'{"annotations": [1],}'])
def test_a_comma_too_many_is_told_with_its_place(data: bytes) -> None:
    """In words of its own: those of Python's `json` differ between 3.12 and 3.13."""
    for read in (lambda: read_json(data, "file"), lambda: visited(data)):
        with pytest.raises(UserError, match=r"file is not JSON: .+ column \d+"):
            read()


def test_a_key_that_is_written_twice_is_remembered() -> None:
    assert repeated_key(visited(b'{"a": 1, "annotations": [], "a": 2}')[0]) == "a"
    assert repeated_key(visited(b'{"annotations": [{"b": 1, "b": 2}]}')[2][0][0]) == "b"
