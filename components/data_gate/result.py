"""What the data gate leaves behind, for the report and the summary."""

from __future__ import annotations

from pydantic import Field

from components.settings import Settings

GATE_FILE = "gate.json"


class Finding(Settings):
    """Something that the gate checked."""

    check: str = Field(description="`schema`, `drift`, `skew`, `quarantine` or `size`.")
    split: str | None = None
    feature: str | None = None
    passed: bool
    warning: bool = Field(default=False, description="Passed, but a person should know.")
    detail: str = Field(description="One sentence that names the feature and the figure.")


class GateReport(Settings):
    """All findings; the gate passes when each of them does."""

    passed: bool
    findings: tuple[Finding, ...]
    drift_against: str | None = Field(default=None, description="Fingerprint of the data compared with.")
