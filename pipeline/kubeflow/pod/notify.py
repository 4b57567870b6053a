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

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from common import progress
from common.errors import UserError
from pipeline.kubeflow.client.outcome import ask
from pipeline.kubeflow.compile.non_tfx_tasks import WEBHOOK_VARIABLE

_WELL = ("COMPLETE", "CACHED", "SUCCEEDED", "SKIPPED")
_FAILED = ("FAILED",)
_CANCELLED = ("CANCELED", "CANCELLED")
_SECONDS = 10.0
_WAITS = (1.0, 4.0)
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
    what = f"{_escaped(pipeline or 'pipeline')}: run {_escaped(run)} {ended}"
    lines = [f"{mark} *{what}*"]
    findings = _findings((status.get("error") or {}).get("message"))
    if findings:
        lines.append(f"```{_escaped(_shown(findings))}```")
    if ui and run_id:
        lines.append(f"<{ui.rstrip('/')}/#/runs/details/{run_id}|The run's page>")
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": line}} for line in lines]
    return {"text": f"{mark} {what}" + (f": {_escaped(_in_brief(findings))}" if findings else ""), "blocks": blocks}


def send(
    url: str,
    message: Mapping[str, Any],
    timeout: float = _SECONDS,
    waits: tuple[float, ...] = _WAITS,
    place: str = "the secret of kubeflow.webhook",
) -> None:
    """Posts `message` as JSON; retries after each of `waits` seconds if the error may be temporary.

    Errors name the `place` that the address comes from, not the address.

    Raises:
        UserError: the webhook could not be notified; the text does not contain the address, which is a secret.
    """
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme not in ("http", "https"):
        raise UserError(f"the webhook's address, in {place}, must begin with https:// or http://")
    for wait in (*waits, None):
        problem, lasting = _post(url, json.dumps(message).encode(), timeout)
        if not problem:
            return
        if wait is None or lasting:
            raise UserError(f"the webhook of {place.removeprefix('the secret of ')} could not be notified: {problem}")
        progress.report(f"the webhook could not be notified ({problem}); trying again in {wait:g} s")
        time.sleep(wait)


def _post(url: str, body: bytes, timeout: float) -> tuple[str, bool]:
    """Returns the error, empty if there is none, and whether it is permanent."""
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(request, timeout=timeout):  # noqa: S310  # The scheme was checked.
            return "", False
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}", error.code < 500 and error.code not in (408, 429)
    except (OSError, http.client.HTTPException) as error:
        # Only the system's own text: others may contain parts of the address.
        reason = getattr(error, "reason", error)
        number = reason.errno if isinstance(reason, OSError) else None
        said = os.strerror(number) if number is not None and number > 0 else ""
        return said or type(reason).__name__, isinstance(error, http.client.InvalidURL)
    except ValueError:
        return "its address is malformed", True


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


def _escaped(text: str) -> str:
    """Escapes Slack's three markup characters: https://docs.slack.dev/messaging/formatting-message-text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
