"""`segpipe card`: which version, which form, and where to."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import cli
from registry.cards import FORMS
from registry.store import Registry
from tests.support.registries import registry_of_two


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Two versions: 1 is served and has a card, 2 has none."""
    registry = registry_of_two(tmp_path, "sample")
    registry.write_card(1, {form: f"card as {form}" for form in FORMS})
    return registry


def run(registry: Registry, *arguments: object) -> Result:
    return CliRunner().invoke(cli, ["card", "--registry", registry.uri, *map(str, arguments)])


def test_by_default_it_is_that_of_the_served_version_as_markdown(registry: Registry) -> None:
    assert run(registry).output == "card as md\n"


def test_it_is_written_to_a_file(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "out" / "card.html"
    result = run(registry, 1, "--format", "html", "--out", path)
    assert result.exit_code == 0, result.output
    assert path.read_text() == "card as html"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((2,), "version 2 was pushed without a model card; the next `segpipe run` that pushes a version writes one"),
        ((3,), "has no version 3; it has 1, 2"),
        (("--format", "pdf"), "'pdf' is not one of 'html', 'json', 'md'"),
    ],
)
def test_what_there_is_not_is_said(registry: Registry, arguments: tuple[object, ...], sentence: str) -> None:
    result = run(registry, *arguments)
    assert result.exit_code != 0
    assert sentence in " ".join(result.output.split())
