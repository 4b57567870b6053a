"""Message to a webhook about an automatic decision."""

from __future__ import annotations

from typing import Any

from common.webhook import escaped
from registry.serving_record import CanaryDecision


def compose(model: str, decision: CanaryDecision) -> dict[str, Any]:
    """Returns the message that a canary was promoted or rolled back."""
    mark = "✅" if decision.outcome == "promoted" else "⚠"
    title = f"{mark} {escaped(model)}: {escaped(decision.describe())}"
    served = decision.version if decision.outcome == "promoted" else decision.stable
    lines = (f"*{title}*", f"version {served} is served")
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in lines]
    return {"text": f"{title}; {lines[1]}", "blocks": blocks}
