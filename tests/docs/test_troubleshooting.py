"""The messages of the page on troubleshooting are those of the program."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.docs.blocks import ROOT

PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8").partition("## Troubleshooting by message")[2]
MESSAGES = [
    message
    for row in PAGE.splitlines()
    if row.startswith("| `")
    for message in re.findall("`([^`]+)`", row.split(" | ")[0])
]


def texts() -> Iterator[str]:
    """Every text in the sources; `…` stands for the values in it."""
    for package in ("pipeline", "components", "common", "registry", "serving"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
    yield (ROOT / "scripts/bootstrap").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sources() -> str:
    return "\0".join(texts())


def test_there_are_messages() -> None:
    assert len(MESSAGES) > 25


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_in_the_sources(sources: str, message: str) -> None:
    assert re.search(re.escape(message).replace("…", "[^\0]*"), sources), message
