"""Messages to a webhook, for Slack, Mattermost and compatible services."""

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

WEBHOOK_VARIABLE = "SEGPIPE_WEBHOOK"
"""Environment variable with the webhook's address, a secret: whoever knows it can post there."""
_SECONDS = 10.0
_WAITS = (1.0, 4.0)


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


def escaped(text: str) -> str:
    """Escapes Slack's three markup characters: https://docs.slack.dev/messaging/formatting-message-text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
