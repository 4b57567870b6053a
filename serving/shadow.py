"""Shadow requests: one label of a running server is asked for a mask, over TensorFlow Serving's REST API."""

from __future__ import annotations

import base64
import http.client
import io
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from components.errors import UserError

_SECONDS = 60
_ANSWER_BYTES = 256 << 20


def check_label(url: str, model: str, label: str, version: int) -> None:
    """Checks that `label` means `version` at the server.

    Raises:
        UserError: it means another, or the server does not say.
    """
    answer = _call(f"{_address(url, model, label)}/metadata")
    found = answer.get("model_spec", {}).get("version")
    if str(found) != str(version):
        raise UserError(
            f"the label {label} means version {found} at {url} and {version} in the registry: wait until it follows"
        )


def mask_of(url: str, model: str, label: str, picture: Path) -> np.ndarray:
    """The mask [H, W] (uint8) that the version behind `label` finds.

    Raises:
        UserError: the file cannot be read, or the server refuses it.
    """
    try:
        encoded = picture.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the picture {picture}: {error.strerror}") from None
    body = json.dumps({"instances": [{"b64": base64.b64encode(encoded).decode()}]}).encode()
    answer = _call(f"{_address(url, model, label)}:predict", body, str(picture))
    try:
        mask = base64.b64decode(answer["predictions"][0]["mask_bytes"]["b64"])
        return np.asarray(Image.open(io.BytesIO(mask)))
    except (KeyError, IndexError, TypeError, ValueError, OSError) as error:
        raise UserError(f"{url} does not answer as a model of segpipe does: {type(error).__name__}") from None


def _address(url: str, model: str, label: str) -> str:
    return f"{url.rstrip('/')}/v1/models/{model}/labels/{label}"


def _call(address: str, body: bytes | None = None, about: str = "") -> dict[str, Any]:
    if not address.startswith(("http://", "https://")):
        raise UserError(f"{address} is no address of a server: it begins with http:// or https://")
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})  # noqa: S310  # Checked.
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310  # Checked.
            answer = json.loads(response.read(_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        raise UserError(f"{about or address}: {_reason(error)}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(f"{address} does not answer: {error}") from None
    return answer if isinstance(answer, dict) else {}


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read(_ANSWER_BYTES))["error"])
    except (OSError, ValueError, TypeError, KeyError):
        return f"the server answers {error.code}"
