"""Explains YAML syntax errors: what is wrong, and how to correct it."""

from __future__ import annotations

import re

import yaml

_HIDDEN = re.compile(r"(?:^|[\[{,:\-?])[ \t]*(#[0-9a-fA-F]{6})(?=[ \t]*(?:[,:\]}]|$))", re.MULTILINE)
_VALUE = re.compile(r"^\s*(?:- +)?[\w.-]+: +([*&!%@`|>{\[\"'?].*)$")
_CLOSED_EARLY = re.compile(r"^(\{[^{}]*\}|\[[^\[\]]*\])[^\s,\]}]")
_NO_SPACE = re.compile(r"^\s*(?:- +)?[A-Za-z_]\w*:[^\s/:]")


def syntax_mistake(error: yaml.YAMLError, text: str) -> tuple[int | None, str]:
    """Returns the line and a message for a syntax error of PyYAML."""
    if isinstance(error, yaml.reader.ReaderError):
        character = text[error.position : error.position + 1] or "\0"
        return text.count(
            "\n", 0, error.position
        ) + 1, f"the character U+{ord(character):04X} is not allowed in YAML; remove it"
    colours = colour_comments(text)
    if colours:
        where, colour = next(iter(colours.items()))
        return where, f"{colour} is a comment in YAML; put the colour in quotes: '{colour}'"
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return None, f"not valid YAML ({getattr(error, 'problem', None) or error})"
    lines = [*text.splitlines(), ""]
    number = min(mark.line, len(lines) - 1)
    problem = _Problem(error, lines[number])
    if problem.is_about_colons:
        for near in (number, number - 1):
            if near >= 0 and _NO_SPACE.match(lines[near]):
                return near + 1, f"a space is missing after the colon: {lines[near].strip()!r}"
    return number + 1, problem.sentence()


class _Problem:
    """PyYAML's problem, and the line that it is about."""

    def __init__(self, error: yaml.YAMLError, line: str) -> None:
        self._problem = str(getattr(error, "problem", "") or "")
        self._context = str(getattr(error, "context", "") or "")
        start = getattr(error, "context_mark", None)
        self._start = start.line + 1 if start else None
        self._line = line

    @property
    def is_about_colons(self) -> bool:
        """Whether a colon is misplaced or missing."""
        return "mapping values are not" in self._problem or "expected ':'" in self._problem

    def sentence(self) -> str:
        """Returns what is wrong, and what to do."""
        here = repr(self._line.strip()[:80])
        indent = self._line[: len(self._line) - len(self._line.lstrip())]
        if "but found another document" in self._problem:
            return "a second document begins with ---; one file is one configuration"
        if "\t" in indent or "'\\t'" in self._problem:
            return "the line is indented by a tab; YAML allows only spaces"
        if "unknown escape character" in self._problem:
            return f"a backslash in double quotes is an escape; put the text in single quotes: {here}"
        if "quoted scalar" in self._context and "end of stream" in self._problem:
            return f"the quote that begins in line {self._start} is not closed"
        return self._of_a_value(here) or self._of_structure(here)

    def _of_a_value(self, here: str) -> str | None:
        """Returns the message for a text that needs quotes because of its first character."""
        if "undefined alias" in self._problem or "scanning an alias" in self._context:
            return f"a text that begins with * must be in quotes, such as '*.png': {here}"
        value = _VALUE.match(self._line)
        if value is None or (value.group(1)[0] in "[{" and not _CLOSED_EARLY.match(value.group(1))):
            return None
        return f"a text that begins with {value.group(1)[0]} must be in quotes: {here}"

    def _of_structure(self, here: str) -> str:
        if "flow sequence" in self._context or "flow mapping" in self._context:
            bracket = "[" if "sequence" in self._context else "{"
            return f"the {bracket} of line {self._start} is not closed, or a comma is missing: {here}"
        if "mapping values are not" in self._problem and self._line.count(": ") > 1:
            return f"two keys are in one line, or a text with ': ' is not in quotes: {here}"
        if "mapping values are not" in self._problem or "expected <block end>" in self._problem:
            return f"the line is not indented like the others of its section: {here}"
        if "expected ':'" in self._problem:
            return f"a key without a colon is near {here}"
        return f"not valid YAML ({self._problem}): {here}"


def colour_comments(text: str) -> dict[int, str]:
    """Returns line → colour for unquoted colours in the place of a value or key, which YAML reads as comments."""
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
    """Returns the ranges of a text that are values or keys, as far as it can be parsed."""
    found = []
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.ScalarToken):
                found.append((token.start_mark.index, token.end_mark.index))
    except yaml.YAMLError:
        pass
    return found
