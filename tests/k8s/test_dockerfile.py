"""What the Dockerfile promises before it is built; `tests/image` looks at the image."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Dockerfile").read_text()
STAGES = [stage.strip() for stage in re.split(r"^FROM ", TEXT, flags=re.MULTILINE)[1:]]
LAST = STAGES[-1]


def _names(file: str) -> list[str]:
    lines = (ROOT / "constraints" / file).read_text().splitlines()
    return [re.split(r"[=\s]", line)[0] for line in lines if line and not line.startswith("#")]


def test_every_stage_begins_at_the_same_debian_or_at_an_earlier_stage() -> None:
    bases = [stage.split()[0] for stage in STAGES]
    assert bases == ["debian:trixie-slim", "python", "python"]


def test_the_last_stage_installs_nothing_and_runs_as_a_number() -> None:
    assert not re.search(r"^RUN", LAST, re.MULTILINE)
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", LAST, re.MULTILINE)


def test_no_index_and_no_address_is_named() -> None:
    assert "://" not in TEXT
    assert not re.search(r"--(index|extra-index|find-links)", TEXT)


def test_only_what_is_copied_reaches_the_engine() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    allowed = {line[1:] for line in ignored if line.startswith("!")} - {"build", "build/image-settings"}
    copied = {
        word.partition("/")[0]
        for line in re.findall(r"^COPY (?!--from)(.*)$", TEXT, re.MULTILINE)
        for word in line.split()[:-1]
        if not word.startswith("build/")
    }
    assert copied == allowed


def test_what_is_left_out_is_pinned_otherwise() -> None:
    """A name that the pins do not have would be a slip of the pen."""
    assert set(_names("image-excludes.txt")) <= set(_names("tfx-1.21.txt"))


def test_what_is_left_out_is_sorted_within_its_reason() -> None:
    reasons = re.split(r"^#.*$", (ROOT / "constraints" / "image-excludes.txt").read_text(), flags=re.MULTILINE)
    for names in (reason.split() for reason in reasons):
        assert names == sorted(names)
