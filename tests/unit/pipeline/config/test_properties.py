"""Whatever is wrong in a configuration is said in our words: the place, the value, and what would be right."""

from __future__ import annotations

import copy
import datetime
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import core_schema

from common.errors import UserError
from common.settings_errors import mistakes_in
from common.settings_places import place_text
from pipeline.config.file import Mistakes, parse
from pipeline.config.run_config import RunConfig, make_config

CONFIGS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(Path("pipeline/configs").glob("*.yaml"))}
LONGEST = 420
PYDANTICS_OWN = (
    *("Input should", "valid tuple", "valid dictionary", "discriminator", "Extra inputs", "Value error", "Input tag"),
    *(
        "Field required",
        "unable to parse",
        "validation error",
        "should have at",
        "Keys should",
        "function-",
        "errors.pydantic",
    ),
)
WRONG: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, float("inf"), float("nan"), "", "nonsense", "1e3", "x" * 500),
    *(
        [],
        ["nonsense"],
        [None],
        [[1]],
        {},
        {"nonsense": 1},
        {"type": "nonsense"},
        {"type": 5},
        {1: 2},
        {"a": {"b": []}},
    ),
    *(datetime.date(2024, 5, 1), datetime.datetime(2024, 5, 1, 12)),
)


def locs(node: Any, loc: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a document."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, inner in items:
        yield (*loc, key)
        yield from locs(inner, (*loc, key))


def changed(raw: dict[str, Any], loc: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """A copy of a document with another value at `loc`."""
    made = copy.deepcopy(raw)
    node: Any = made
    for part in loc[:-1]:
        node = node[part]
    node[loc[-1]] = value
    return made


def as_place(raw: Any, loc: tuple[Any, ...]) -> str:
    """A place as messages write it."""
    parts: list[str | int] = []
    for part in loc:
        parts.append(part if isinstance(raw, list) else str(part))
        raw = raw[part]
    return place_text(parts)


ALL_PLACES = [(name, loc) for name, raw in CONFIGS.items() for loc in locs(raw)]


def assert_is_ours(text: str, source: str) -> None:
    """Asserts what holds for every message about a configuration."""
    first, *lines = text.splitlines()
    assert first.startswith(source)
    sentences = lines or [first]
    assert len(sentences) == len(set(sentences)), "said once"
    for sentence in sentences:
        assert len(sentence) <= LONGEST
        assert not [word for word in PYDANTICS_OWN if word in sentence]


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(ALL_PLACES), st.sampled_from(WRONG))
def test_a_wrong_value_anywhere_is_named_with_its_place(where: tuple[str, tuple[Any, ...]], value: Any) -> None:
    name, loc = where
    raw = changed(CONFIGS[name], loc, value)
    try:
        make_config(raw, (), "a file")
    except UserError as error:
        text = str(error)
        assert_is_ours(text, "a file")
        near = {as_place(raw, loc[:length]) for length in range(1, len(loc) + 1)}
        fits_alone = {as_place(raw, other) for other in locs(raw)}  # And then it does not fit to something else.
        assert any(place in text for place in near | fits_alone)


TEXTS = [path.read_text() for path in sorted(Path("pipeline/configs").glob("*.yaml"))]
ODD = [
    "",
    "\t",
    ":",
    ": ",
    "#",
    "'",
    '"',
    "{",
    "}",
    "[",
    "]",
    "*",
    "&a",
    "- ",
    "\n",
    "---\n",
    "!!x ",
    "0",
    "\0",
    "\ud800",
    "<<: ",
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TEXTS), st.floats(0, 1), st.integers(0, 5), st.sampled_from(ODD))
def test_a_slip_in_the_text_never_shows_a_traceback(text: str, where: float, lost: int, put: str) -> None:
    place = int(where * len(text))
    try:
        document = parse(text[:place] + put + text[place + lost :])
        make_config(document.value if isinstance(document.value, dict) else {}, (), "a file")
    except UserError as error:
        assert_is_ours(str(error), "a file")
    except Mistakes as mistakes:
        for _, sentence in mistakes.found:
            assert len(sentence) <= LONGEST


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ALL_PLACES), st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12))
def test_a_key_that_nobody_knows_is_one_mistake(where: tuple[str, tuple[Any, ...]], key: str) -> None:
    name, loc = where
    if isinstance(loc[-1], int):
        return
    raw = copy.deepcopy(CONFIGS[name])
    node: Any = raw
    for part in loc[:-1]:
        node = node[part]
    if key in node:
        return
    node[key] = node.pop(loc[-1])
    try:
        make_config(raw, (), "a file")
    except UserError as error:
        assert_is_ours(str(error), "a file")
        assert key in str(error)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ALL_PLACES), st.sampled_from([7, "nonsense", ["nonsense"], True]))
def test_what_was_given_is_shown(where: tuple[str, tuple[Any, ...]], value: Any) -> None:
    name, loc = where
    try:
        make_config(changed(CONFIGS[name], loc, value), (), "a file")
    except UserError as error:
        shown = {7: "7", True: "true"}.get(value if not isinstance(value, list) else "", "nonsense")
        if loc[:2] == ("data", "classes") and len(loc) == 3 and value == "nonsense":
            # Another name for a class is sound; what still calls it by the old one is told.
            shown = CONFIGS[name]["data"]["classes"][loc[2]]
        assert shown in str(error)


CONTEXT = dict.fromkeys(("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "actual_length"), 3) | {
    **dict.fromkeys(
        ("field_type", "pattern", "expected", "error", "discriminator", "tag", "expected_tags", "class"), "x"
    ),
    **dict.fromkeys(
        ("class_name", "method_name", "attribute", "encoding", "encoding_error", "reason", "iterable_type"), "x"
    ),
    **dict.fromkeys(("expected_schemes", "mapping_type", "function_name"), "x"),
    **dict.fromkeys(
        ("tz_actual", "tz_expected", "expected_version", "max_digits", "decimal_places", "whole_digits"), 3
    ),
}
"""What the texts of pydantic's errors are made with."""


@pytest.mark.parametrize(
    "loc", [("trainer", "epochs"), ("data", "classes"), ("data", "source"), ("data", "classes", 0)]
)
@pytest.mark.parametrize("kind", sorted(typing.get_args(core_schema.ErrorType)))
def test_no_kind_of_error_that_pydantic_knows_is_told_in_its_words(kind: str, loc: tuple[str | int, ...]) -> None:
    told = ("value_error", "assertion_error")
    context = CONTEXT | ({"error": ValueError("a validator's own sentence")} if kind in told else {})
    error = ValidationError.from_exception_data("x", [{"type": kind, "loc": loc, "input": "nonsense", "ctx": context}])
    (mistake,) = mistakes_in(error, RunConfig)
    assert mistake.text.startswith(place_text(loc[:2]))
    if kind in told:
        assert mistake.text.endswith(": a validator's own sentence")
    else:
        assert error.errors()[0]["msg"] not in mistake.text


@pytest.mark.parametrize("name", CONFIGS)
def test_a_section_that_nothing_stands_in_has_its_defaults(name: str) -> None:
    raw = {**CONFIGS[name], "report": None}
    assert make_config(raw, (), "a file") == make_config(CONFIGS[name], (), "a file")
