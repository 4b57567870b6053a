"""What is wrong with a text that is not YAML, and what to do about it."""

from __future__ import annotations

import re

import yaml

_HIDDEN = re.compile(r"(?:^|[\[{,:\-?])[ \t]*(#[0-9a-fA-F]{6})(?=[ \t]*(?:[,:\]}]|$))", re.MULTILINE)
_KEY = re.compile(r"^\s*(?:- +)?[\w.-]+: +(.*)$")
_NEEDS_QUOTES = "*&!%@`|>{[\"'?"


def syntax_mistake(error: yaml.YAMLError, text: str) -> tuple[int | None, str]:
    """The line and a sentence about what PyYAML could not read."""
    if isinstance(error, yaml.reader.ReaderError):
        character = text[error.position : error.position + 1] or "\0"
        return text.count(
            "\n", 0, error.position
        ) + 1, f"the character U+{ord(character):04X} cannot stand in YAML; take it out"
    problem = str(getattr(error, "problem", None) or error)
    mark = getattr(error, "problem_mark", None)
    start = getattr(error, "context_mark", None)
    line: int | None = mark.line + 1 if mark else None
    colours = colour_comments(text)
    if colours:
        where, colour = next(iter(colours.items()))
        return where, f"{colour} is a comment in YAML; put the colour in quotes: '{colour}'"
    lines = text.splitlines()
    here = lines[line - 1] if line and line <= len(lines) else ""
    return line, _sentence(problem, here, start.line + 1 if start else None, str(getattr(error, "context", "") or ""))


def _sentence(problem: str, here: str, start: int | None, context: str) -> str:
    if "but found another document" in problem:
        return "a second document begins with ---; one file is one configuration"
    if "'\\t'" in problem or here.startswith("\t") or "\t" in here[: len(here) - len(here.lstrip())]:
        return "the line is indented by a tab; YAML takes spaces alone"
    value = _KEY.match(here)
    if "unknown escape character" in problem:
        return f"{here.strip()!r} has a backslash in double quotes; put the text in single quotes"
    if "quoted scalar" in context and "end of stream" in problem:
        return f"the quote that begins in line {start} is not closed"
    if value and value.group(1)[:1] in _NEEDS_QUOTES and "flow" not in context:
        return f"a text that begins with {value.group(1)[0]} must be in quotes: {here.strip()!r}"
    if "undefined alias" in problem or "scanning an alias" in context:
        return f"a text that begins with * must be in quotes, such as '*.png': {here.strip()!r}"
    if "flow sequence" in context or "flow mapping" in context:
        bracket = "[" if "sequence" in context else "{"
        return f"the {bracket} of line {start} is not closed, or a comma is missing: {here.strip()!r}"
    if "mapping values are not allowed" in problem:
        return f"a colon too many, or a wrong indent: {here.strip()!r}; put a text with ': ' in quotes"
    if "expected <block end>" in problem:
        return f"the line is not indented like the others of its section: {here.strip()!r}"
    if "could not find expected ':'" in problem:
        return f"a key without a colon and a value, near {here.strip()!r}"
    return f"not valid YAML ({problem})" + (f": {here.strip()!r}" if here.strip() else "")


def colour_comments(text: str) -> dict[int, str]:
    """Line → colour, of colours that stand where a value or key would be and that YAML takes for comments."""
    found = {match.start(1): match.group(1) for match in _HIDDEN.finditer(text)}
    if not found:
        return {}
    covered = _scalars(text)
    return {
        text.count("\n", 0, place) + 1: colour
        for place, colour in found.items()
        if not any(start <= place < end for start, end in covered) and not _in_comment(text, place)
    }


def _in_comment(text: str, place: int) -> bool:
    """Whether a comment began before `place` in its line: `# building: #ff0000`."""
    before = text[text.rfind("\n", 0, place) + 1 : place]
    return re.search(r"(?:^|\s)#", before) is not None


def _scalars(text: str) -> list[tuple[int, int]]:
    """The stretches of a text that are values or keys, as far as it can be read."""
    found = []
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.ScalarToken):
                found.append((token.start_mark.index, token.end_mark.index))
    except yaml.YAMLError:
        pass
    return found
