"""Edited code misses the cache."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline import code_digest as module


@pytest.fixture
def copied_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "components"
    for folder in ("components", "serving"):
        shutil.copytree(folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(module, "_ROOT", root)
    module.code_digest.cache_clear()
    yield root
    module.code_digest.cache_clear()


def digests() -> dict[str, str]:
    module.code_digest.cache_clear()
    return {step: module.code_digest(step) for step in module._STEPS}


@pytest.mark.parametrize(
    ("edited", "concerned"),
    [
        ("trainer/losses/dice.py", {"trainer", "tuner"}),
        ("tuner/search.py", {"tuner"}),
        ("hostile.py", {"example_gen", "trainer", "tuner", "serving_check"}),
        ("transform/picture.py", {"transform", "trainer", "tuner", "serving_check"}),
        ("../serving/rest.py", {"serving_check"}),
        ("report/templates/page.html", {"report"}),
        ("evaluator/confusion.py", {"evaluator", "trainer", "tuner"}),
    ],
)
def test_an_edit_concerns_the_steps_that_run_it(copied_sources: Path, edited: str, concerned: set[str]) -> None:
    before = digests()
    with (copied_sources / edited).open("a") as file:
        file.write("\n")
    after = digests()
    assert {step for step in after if after[step] != before[step]} == concerned


def test_the_record_contract_concerns_all_steps(copied_sources: Path) -> None:
    before = digests()
    with (copied_sources / "records.py").open("a") as file:
        file.write("\n")
    assert not set(before.items()) & set(digests().items())


def test_every_source_that_is_named_exists() -> None:
    for places in module._STEPS.values():
        for place in places:
            assert (module._ROOT / place).exists(), place
