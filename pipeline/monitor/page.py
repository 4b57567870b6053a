"""The report as one HTML page, without scripts, files or external URLs."""

from __future__ import annotations

from pathlib import Path

from common.page_templates import page_templates
from pipeline.monitor.result import MonitorReport

_TEMPLATES = Path(__file__).parent / "templates"


def monitor_page(report: MonitorReport) -> str:
    """Renders the page, the newest window first.  Every text is untrusted and escaped."""
    template = page_templates(_TEMPLATES).get_template("monitor.html")
    return template.render(report=report, windows=list(reversed(report.windows))).lstrip()
