"""Exit task of a run: notifies a webhook of how the run ended, even if it failed.

Its input is `PipelineTaskFinalStatus` (api/v2alpha1/pipeline_spec.proto of kubeflow/pipelines), as the
driver fills it in (resolveInputParameter in backend/src/v2/driver/resolve.go, release 2.17): the state is that of the
metadata store, and the error is always empty.  Only the launcher of a group's last task writes the group's
state, so it stays RUNNING if that task was cached or skipped, or its pod was killed, as in a terminated run.  A backend
without ML Metadata reports SUCCEEDED, CACHED, SKIPPED or FAILED, even if no launcher ran
(resolveTaskFinalStatus in driver/resolver/parameters.go).  So the task asks the pipelines' API first, see `outcome`,
and uses its input only if the API does not know.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from common import progress
from common.errors import UserError
from common.webhook import WEBHOOK_VARIABLE, escaped, send
from pipeline.kubeflow.client.outcome import ask

_WELL = ("COMPLETE", "CACHED", "SUCCEEDED", "SKIPPED")
_FAILED = ("FAILED",)
_CANCELLED = ("CANCELED", "CANCELLED")
_LONGEST_ERROR = 500
_MOST_FINDINGS = 5  # A block of Slack has 3000 characters.


def main_from(parameters: Mapping[str, Any]) -> None:
    """Notifies the webhook whose address is in the environment.

    Args:
        parameters: The task's: `status` (a PipelineTaskFinalStatus), `run_id`, `run_name`, `pipeline` and `ui`, the
            dashboard's address, which may be empty or missing.

    Raises:
        UserError: the webhook's address is missing, or it could not be notified.
    """
    url = os.environ.get(WEBHOOK_VARIABLE, "").strip()
    if not url:
        raise UserError(f"the secret of kubeflow.webhook is empty: {WEBHOOK_VARIABLE} has no address")
    texts = {name: str(parameters.get(name) or "") for name in ("run_id", "run_name", "pipeline", "ui")}
    message = compose(_status(parameters), **texts)
    send(url, message)
    progress.report(f"notified the webhook: {message['text']}")


def _status(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the API's status of the run, or else the task's input."""
    handed: Mapping[str, Any] = parameters.get("status") or {}
    outcome = ask(str(parameters.get("run_id") or ""))
    if outcome is None:
        return handed
    error = {"error": {"message": "\n".join(outcome.findings)}} if outcome.findings else {}
    return {**handed, "state": outcome.state, **error}


def compose(
    status: Mapping[str, Any], run_id: str = "", run_name: str = "", pipeline: str = "", ui: str = ""
) -> dict[str, Any]:
    """Returns a message for Slack, Mattermost and compatible services: https://docs.slack.dev/reference/block-kit/blocks.

    Args:
        status: The JSON of a `PipelineTaskFinalStatus`.
        run_id: Of the run, part of its page's address.
        run_name: As the dashboard shows it.
        pipeline: Name of the pipeline.
        ui: Address of the dashboard.
    """
    mark, ended = _ended(str(status.get("state", "")).upper())
    run = run_name or str(status.get("pipelineJobResourceName", "")) or run_id
    what = f"{escaped(pipeline or 'pipeline')}: run {escaped(run)} {ended}"
    lines = [f"{mark} *{what}*"]
    findings = _findings((status.get("error") or {}).get("message"))
    if findings:
        lines.append(f"```{escaped(_shown(findings))}```")
    if ui and run_id:
        lines.append(f"<{ui.rstrip('/')}/#/runs/details/{run_id}|The run's page>")
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": line}} for line in lines]
    return {"text": f"{mark} {what}" + (f": {escaped(_in_brief(findings))}" if findings else ""), "blocks": blocks}


def _ended(state: str) -> tuple[str, str]:
    if state in _WELL:
        return "✅", "ended well"
    if state in _FAILED:
        return "❌", "failed"
    if state in _CANCELLED:
        return "⏹", "was terminated"
    return "❔", "ended; the backend has not recorded how"


def _findings(text: Any) -> list[str]:
    """Returns the lines of an error, without a library's traceback."""
    lines = [line.strip() for line in str(text or "").partition("Traceback (most recent call last)")[0].splitlines()]
    return [line[:_LONGEST_ERROR] for line in lines if line]


def _in_brief(findings: list[str]) -> str:
    """Returns the first finding and the number of others, for a single line."""
    more = len(findings) - 1
    return findings[0] + (f" (and {more} more)" if more else "")


def _shown(findings: list[str]) -> str:
    """Returns the first findings, a line each, and the number of others."""
    more = len(findings) - _MOST_FINDINGS
    return "\n".join([*findings[:_MOST_FINDINGS], *([f"… and {more} more"] if more > 0 else [])])
