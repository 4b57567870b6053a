"""A running server asked by a command: what a label means there, and what it finds in a file."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from common.errors import UserError
from serving.client import (
    DeadlineExceededError,
    PictureRefusedError,
    Segmentation,
    SegmentationClient,
    SegmentationError,
)
from serving.errors import FailedPictureError, RefusedPictureError

_SECONDS = 60
_ANSWER_BYTES = 256 << 20


def check_label(url: str, model: str, label: str, version: int) -> None:
    """Checks that `label` means `version` at the server.

    Raises:
        UserError: it means another, or the server does not say.
    """
    address = label_address(url, model, label)
    try:
        answer = _call(f"{address}/metadata")
    except urllib.error.HTTPError as error:
        raise UserError(
            f"{address} is not there, or not yet ({_reason(error)}): wait until the server follows the registry"
        ) from None
    found = answer.get("model_spec", {}).get("version")
    if str(found) != str(version):
        raise UserError(
            f"the label {label} means version {found} at {url} and {version} in the registry: wait until it follows"
        )


def segment(client: SegmentationClient, picture: Path) -> Segmentation:
    """What the server behind `client` finds in a file.

    Raises:
        RefusedPictureError: the server refuses it.
        FailedPictureError: the file cannot be read, or the answer takes too long.
        UserError: the server does not answer.
    """
    try:
        return client.predict(picture)
    except PictureRefusedError as error:
        raise RefusedPictureError(f"{picture}: {error}") from None
    except DeadlineExceededError as error:
        raise FailedPictureError(f"{picture}: {error}") from None
    except SegmentationError as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise FailedPictureError(f"cannot read the picture {picture}: {error.strerror}") from None


def label_address(url: str, model: str, label: str) -> str:
    """Where the version behind `label` answers."""
    return f"{url.rstrip('/')}/v1/models/{model}/labels/{label}"


def _call(address: str) -> dict[str, Any]:
    if not address.startswith(("http://", "https://")):
        raise UserError(f"{address} is no address of a server: it begins with http:// or https://")
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS) as response:  # noqa: S310  # Checked.
            answer = json.loads(response.read(_ANSWER_BYTES))
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(f"{address} does not answer: {getattr(error, 'reason', error)}") from None
    return answer if isinstance(answer, dict) else {}


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(_ANSWER_BYTES))["error"])
    except (OSError, ValueError, TypeError, KeyError):
        return f"the server answers {error.code}"
