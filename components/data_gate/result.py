"""Result of the data gate, read by the report and the summary."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from common.settings import Settings

GATE_FILE = "gate.json"


class Finding(Settings):
    """Result of one check."""

    check: str = Field(
        description="`schema`, `drift`, `skew`, `quarantine`, `size`, `classes`, `void`, or a check of labels."
    )
    split: str | None = None
    feature: str | None = None
    passed: bool
    warning: bool = Field(
        default=False, description="Passed, but needs a person's attention; shown wherever failures are."
    )
    detail: str = Field(description="One sentence that names the feature and the figure, and what to do about it.")


class GateReport(Settings):
    """All findings; the gate passes if each of them does."""

    passed: bool
    findings: tuple[Finding, ...]
    drift_against: str | None = Field(default=None, description="Fingerprint of the data compared with.")

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that stop the run."""
        return tuple(finding for finding in self.findings if not finding.passed)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that do not stop the run, but need a person's attention."""
        return tuple(finding for finding in self.findings if finding.passed and finding.warning)


def told(failures: Sequence[Finding]) -> str:
    """Returns the end of a sentence that lists `failures`, at least one; several stand on separate lines."""
    if len(failures) == 1:
        return f"because a check failed: {failures[0].detail}"
    lines = "".join(f"\n  data gate: {finding.detail}" for finding in failures)
    return f"because {len(failures)} checks failed:{lines}"
