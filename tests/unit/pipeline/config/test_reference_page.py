"""docs/config.md says what the types say."""

from __future__ import annotations

from pathlib import Path

from pipeline.config.reference_page import config_markdown


def test_the_page_is_what_the_types_say() -> None:
    page = Path("docs/config.md").read_text()
    assert page == config_markdown(), "write it anew: python -m pipeline.config.reference_page > docs/config.md"


def test_every_field_has_a_meaning() -> None:
    rows = [line for line in config_markdown().splitlines() if line.startswith("| `")]
    without = [row for row in rows if row.split("|")[-2].strip() == "" and "`type`" not in row]
    assert not without
