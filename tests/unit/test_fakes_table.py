"""The table of what the fakes stand for names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TABLE = Path("tests/support/README.md")
NAMED = sorted(set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", TABLE.read_text())))
FILES = [path for path in Path("tests").rglob("test_*.py") if path.parts[1] in {"kubeflow", "unit", "k8s"}]


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_each_test_that_the_table_names_is_there(file: str, test: str) -> None:
    texts = [path.read_text() for path in FILES if path.name == file]
    assert any(re.search(rf"^ *def {test}\(", text, re.MULTILINE) for text in texts)


def test_each_behaviour_names_a_function_and_a_test() -> None:
    rows = [line for line in TABLE.read_text().splitlines() if line.count(" | ") == 2 and line.startswith("| ")]
    behaviours = [row.strip("| ").split(" | ") for row in rows if "test_" in row.split(" | ")[2]]
    assert len(behaviours) > 40
    for behaviour, function, _ in behaviours:
        assert function.count("`") >= 2, behaviour
