"""The fenced blocks of README and docs, and the commands in them."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("k8s/**/README.md")]
)
SHELL = {"console", "sh", "bash", "shell"}
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (run|not run): (.+) -->")
_KEYWORDS = {"for", "do", "done", "in", "if", "then", "fi", "while"}


class Block(NamedTuple):
    """A fenced block of a page."""

    place: str
    language: str
    text: str
    line_above: str

    @property
    def mark(self) -> tuple[str, str] | None:
        """`run` and its tests, or `not run` and the reason, from the comment above the block."""
        found = _MARK.fullmatch(self.line_above.strip())
        return (found[1], found[2]) if found else None

    @property
    def script(self) -> str:
        """The commands as a shell reads them; of a console, without prompts and output."""
        if self.language != "console":
            return self.text
        return "\n".join(line.removeprefix("$ ") for line in self.text.splitlines() if line.startswith("$ "))

    def commands(self) -> Iterator[list[str]]:
        """The words of each simple command, without assignments in front."""
        for line in self.script.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            command: list[str] = []
            for word in [*lexer, ";"]:
                if word in _KEYWORDS and not command:
                    continue
                if set(word) <= set("();<>|&"):
                    if command:
                        yield command
                    command = []
                elif command or not re.match(r"[A-Z_]+=", word):
                    command.append(word)


def blocks() -> Iterator[Block]:
    """All fenced blocks of all pages."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in _FENCE.finditer(text):
            above = text[: found.start()].rstrip("\n").rpartition("\n")[2]
            line = text[: found.start()].count("\n") + 1
            place = f"{page.relative_to(ROOT)}:{line}"
            yield Block(place, found["language"], textwrap.dedent(found["text"]), above)
