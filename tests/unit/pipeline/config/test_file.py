"""YAML is read strictly: what PyYAML would drop or change in silence is refused, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.config.file import Mistakes, parse
from pipeline.config.run_config import load_config

SOUND = "name: tiny\ndata:\n  source: {type: folders, root: data}\n  classes: [background, thing]\n"


def message(tmp_path: Path, content: str | bytes) -> str:
    """What is said of a file with this content, without its name."""
    path = tmp_path / "tiny.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as raised:
        load_config(path)
    return str(raised.value).removeprefix(str(path))


def found(text: str) -> list[str]:
    """What is not sound in a YAML text."""
    with pytest.raises(Mistakes) as raised:
        parse(text)
    return [sentence for _, sentence in raised.value.found]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: 1\nb: 2\na: 3", "a is given twice, in lines 1 and 3"),
        ("a: {b: 1, c: 2, b: 1}", "a.b is given twice, in line 1"),
        ("a:\n  - {b: 1, b: 1}", "a[0].b is given twice, in line 2"),
        ("a:\n  - b: {1: x, 0x1: y}", "a[0].b.1 is given twice, in line 2"),
        ("a: 1\n'a': 2", "a is given twice, in lines 1 and 2"),
        ('"a": 1\na: 2', "a is given twice, in lines 1 and 2"),
        ("1: x\n'1': y", "1 is given twice, in lines 1 and 2"),
        ("1: x\n+1: y", "1 is given twice, in lines 1 and 2"),
        ("1000: x\n1_000: y", "1000 is given twice, in lines 1 and 2"),
        ("a.b: 1\na.b: 2", '["a.b"] is given twice, in lines 1 and 2'),
    ],
)
def test_a_key_that_stands_twice_is_refused_however_it_is_written(text: str, place: str) -> None:
    assert found(text) == [f"{place}; keep one of them"]


def test_merged_keys_may_be_replaced_and_are_no_repetition() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {x: 5, z: 6}]}"
    assert parse(text).value == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"x": 1, "y": 2, "z": 6},
    }
    assert found("a: {<<: 5}") == ["a.<< must be an alias of a section, such as <<: *name"]
    assert found("a: &a {x: 1}\nb: {<<: *a, y: 3, y: 4}") == ["b.y is given twice, in line 2; keep one of them"]


def test_aliases_are_copies_and_neither_contain_themselves_nor_fill_the_memory() -> None:
    value = parse("a: &a [1]\nb: *a").value
    assert value["a"] == value["b"]
    assert value["a"] is not value["b"]
    assert found("a: &a [*a]") == ["a[0] contains itself, by an alias (*)"]
    assert found("a: &a {b: {<<: *a}}") == ["a.b contains itself, by an alias (*)"]
    bomb = "\n".join(["x0: &x0 [1]", *(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 12))])
    assert found(bomb) == ["its aliases (*) expand to more than 100000 values; write fewer of them"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("25e6", 25e6),
        (".5", 0.5),
        ("1_000", 1000),
        ("0x10", 16),
        ("0", 0),
        ("0.5", 0.5),
        ("'010'", "010"),
        ("v1", "v1"),
        ("e5", "e5"),
        ("1:x", "1:x"),
    ],
)
def test_numbers_are_what_they_look_like(text: str, value: object) -> None:
    assert parse(text).value == value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("010", "010 is the number 8 in YAML (base 8); put it in quotes: '010', or write 10"),
        ("-012", "-012 is the number -10 in YAML (base 8); put it in quotes: '-012', or write 12"),
        ("1:30", "1:30 is the number 90 in YAML (base 60); put it in quotes: '1:30'"),
        ("16:9", "16:9 is the number 969 in YAML (base 60); put it in quotes: '16:9'"),
        ("1:30.5", "1:30.5 is the number 90.5 in YAML (base 60); put it in quotes: '1:30.5'"),
        ("2024-13-01", "'2024-13-01' is not a valid date; put it in quotes if it is meant as text"),
        ("!!int x", "'x' is not a valid whole number; put it in quotes if it is meant as text"),
        ("!!python/name:os.system x", "the tag !!python/name:os.system is not supported; write a plain value"),
        ("!secret x", "the tag !secret is not supported; write a plain value"),
        ("!!set {a, b}", "the tag !!set is not supported; write a plain value"),
        ("!!binary aGk=", "the tag !!binary is not supported; write a plain value"),
        ("on: 1", "the key 'on' is true in YAML; put it in quotes: 'on'"),
        ("1.5: 1", "the key '1.5' is a number in YAML; put it in quotes: '1.5'"),
        ("~: 1", "the key '~' is null in YAML; put it in quotes: '~'"),
        ("[a]: 1", "a key must be text, not [a]; put what has braces or brackets in quotes"),
        ("a: {{ b }}", "a key must be text, not { b }; put what has braces or brackets in quotes"),
    ],
)
def test_what_yaml_reads_as_something_else_is_refused(text: str, sentence: str) -> None:
    assert found(text) == [sentence]


def test_a_tag_is_never_carried_out(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    text = message(tmp_path, f"{SOUND}x: !!python/object/apply:os.mkdir ['{mark}']\n")
    assert text == ", line 5: the tag !!python/object/apply:os.mkdir is not supported; write a plain value"
    assert not mark.exists()


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (2, "a: x\nb: [#ff0000]\n"),
        (2, "a: x\nb: #ff0000\n"),
        (3, "a: x\nb:\n  - #ff0000\n"),
        (3, "b:\n  '#000000': x\n  #ff0000: y\n"),
        (1, "b: {#ff0000: y}\n"),
        (1, "b: ['#000000', #ff0000\n]\n"),
    ],
)
def test_a_colour_without_quotes_is_not_lost_as_a_comment(line: int, text: str) -> None:
    with pytest.raises(Mistakes) as raised:
        parse(text)
    assert raised.value.found == ((line, "#ff0000 is a comment in YAML; put the colour in quotes: '#ff0000'"),)


@pytest.mark.parametrize(
    "text",
    [
        "# colours: #ff0000\na: 1\n",
        "a: 1 # as in #ff0000\n",
        "a: '#ff0000'\n",
        'a: "x: #ff0000"\n',
        "a: |\n  #ff0000: y\n",
        "a: x#ff0000\n",
    ],
)
def test_a_colour_in_a_comment_or_a_text_is_left_alone(text: str) -> None:
    assert "a" in parse(text).value


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\tx", ", line 1: the line is indented by a tab; YAML allows only spaces"),
        ("a: [1", ", line 1: the [ of line 1 is not closed, or a comma is missing: 'a: [1'"),
        ("a: {b: 1\nc: 2", ", line 2: the { of line 1 is not closed, or a comma is missing: 'c: 2'"),
        ("a: 'x\n", ", line 2: the quote that begins in line 1 is not closed"),
        ('a: "C:\\data"', ", line 1: a backslash in double quotes is an escape; put the text in single quotes: "),
        ("a: *.png", ", line 1: a text that begins with * must be in quotes, such as '*.png': 'a: *.png'"),
        ("a: {date}/x", ", line 1: a text that begins with { must be in quotes: 'a: {date}/x'"),
        ("a: @x", ", line 1: a text that begins with @ must be in quotes: 'a: @x'"),
        ("a: %x", ", line 1: a text that begins with % must be in quotes: 'a: %x'"),
        ("a: b: c", ", line 1: two keys are in one line, or a text with ': ' is not in quotes: 'a: b: c'"),
        ("a: 1\n  b: 2", ", line 2: the line is not indented like the others of its section: 'b: 2'"),
        ("a:\n    b: 2\n  c: 3", ", line 3: the line is not indented like the others of its section: 'c: 3'"),
        ("a:\n  b:2\n  c: 3", ", line 2: a space is missing after the colon: 'b:2'"),
        ("a: 1\n---\nb: 2", ", line 2: a second document begins with ---; one file is one configuration"),
        ("a: \x07", ", line 1: the character U+0007 is not allowed in YAML; remove it"),
        ("", " is empty; a configuration begins with a name and data"),
        ("# nothing\n", " is empty; a configuration begins with a name and data"),
        ("- a", " must be a mapping of keys to values, but is a list"),
        ("hello", " must be a mapping of keys to values, but is a single value"),
        ("[" * 1500, ": it is nested too deeply"),
    ],
)
def test_a_text_that_is_not_a_yaml_mapping_is_refused_with_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    assert message(tmp_path, text).startswith(sentence)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_says_how_the_text_is_encoded(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_bytes(SOUND.replace("thing", "Gebäude").encode(encoding))
    assert load_config(path).data.classes == ("background", "Gebäude")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: 1\nname: t\xe4st\n", ", line 2: byte 0xe4 is not UTF-8; save the file in the encoding UTF-8"),
        (b"\x89PNG\r\n\x1a\n\xff", " is not a text file; give a YAML configuration"),
        (b"name: a\0b", " is not a text file; give a YAML configuration"),
        (b"\xff\xfea", " is not valid UTF-16; save the file in the encoding UTF-8"),
    ],
)
def test_what_is_not_text_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert message(tmp_path, content) == sentence


def test_a_number_as_long_as_a_book_is_refused_in_a_line(tmp_path: Path) -> None:
    assert len(message(tmp_path, f"{SOUND}seed: {'9' * 5000}\n")) < 200
    assert "must be a whole number from 0" in message(tmp_path, f"{SOUND}seed: {'9' * 50}\n")


@pytest.mark.parametrize("section", ["trainer", "transform", "validation", "report", "kubeflow"])
def test_an_empty_section_has_its_defaults(tmp_path: Path, section: str) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(SOUND)
    sound = load_config(path)
    path.write_text(f"{SOUND}{section}:\n  # nothing yet\n")
    assert load_config(path) == sound


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ("tuner:", "tuner is empty; write tuner: {} for its defaults, or write tuner: null for none"),
        ("serving_check:", "serving_check is empty; write serving_check: {} for its defaults, or write serving_check"),
        ("trainer: {fine_tuning: }", "trainer.fine_tuning is empty; give it from_epoch, or write fine_tuning: null"),
        ("kubeflow: {volume: }", "kubeflow.volume is empty; give it claim and mount, or write volume: null for none"),
    ],
)
def test_an_empty_section_where_null_means_none_must_say_which(tmp_path: Path, section: str, sentence: str) -> None:
    assert message(tmp_path, f"{SOUND}{section}\n").startswith(f", line 5: {sentence}")


@pytest.mark.parametrize("text", ["trainer: {schedule: null}", "trainer: {optimizer: ~}", "report: null"])
def test_a_null_that_is_written_out_is_not_taken_for_the_default(tmp_path: Path, text: str) -> None:
    sentence = message(tmp_path, f"{SOUND}{text}\n")
    assert "must be a section, that is, keys with values, not null" in sentence
    assert sentence.endswith("out for its default")


def test_null_where_it_means_none_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(f"{SOUND}serving_check: null\n")
    assert load_config(path).serving_check is None


@pytest.mark.parametrize(
    ("classes", "sentences"),
    [
        ("[a, no]", ["data.classes[1]: must be text, not no (which YAML reads as false); put it in quotes: 'no'"]),
        ("[a, 1]", ["data.classes[1]: must be text, not 1; put it in quotes: '1'"]),
        ("[a, 1_0]", ["data.classes[1]: must be text, not 1_0 (which YAML reads as 10); put it in quotes: '1_0'"]),
        ("[a, 1e3]", ["data.classes[1]: must be text, not 1e3 (which YAML reads as 1000.0); put it in quotes: '1e3'"]),
        ("[a, 2024-05-01]", ["data.classes[1]: must be text, not 2024-05-01; put it in quotes: '2024-05-01'"]),
        ("[a, ~]", ["data.classes[1]: must be text, not null; put it in quotes if null is meant as text: 'null'"]),
    ],
)
def test_a_name_that_yaml_reads_as_something_else_is_shown_as_it_is_written(
    tmp_path: Path, classes: str, sentences: list[str]
) -> None:
    text = message(tmp_path, SOUND.replace("[background, thing]", classes))
    assert text == f", line 4: {sentences[0]}"
