"""Message to a webhook about drift, for Slack, Mattermost and compatible services."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from common.plurals import counted
from common.webhook import escaped
from pipeline.monitor.result import MonitorReport


def compose(report: MonitorReport, versions: Sequence[int]) -> dict[str, Any]:
    """Returns the message that the answers of `versions` have drifted."""
    newest = {window.version: window for window in report.newest()}
    lines = [
        f"version {version}: {newest[version].detail} ({counted(newest[version].images, 'image')} until "
        f"{newest[version].end:%Y-%m-%d %H:%M} UTC)"
        for version in versions
    ]
    if report.retraining:
        lines.append(report.retraining)
    title = f"⚠ {escaped(report.model)}: drift in service"
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": text}}
        for text in (f"*{title}*", *(escaped(line) for line in lines))
    ]
    return {"text": f"{title}: {escaped('; '.join(lines))}", "blocks": blocks}
