"""Predictor behind a running server, for commands: the version of a label there, and the masks of image files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from common.errors import UserError
from segpipe_client import (
    DeadlineExceededError,
    ModelBands,
    PictureRefusedError,
    Segmentation,
    SegmentationClient,
    SegmentationError,
    ServerUnavailableError,
)
from serving.errors import FailedPictureError, RefusedPictureError

_SECONDS = 60


def check_label(url: str, model: str, label: str, version: int) -> None:
    """Checks that `label` means `version` at the server.

    Raises:
        UserError: it means another, or the server does not say.
    """
    found = _version_of(url, label_address(url, model, label))
    if found != version:
        raise UserError(
            f"the label {label} means version {found} at {url} and {version} in the registry: wait until it follows"
        )


def bands_of(client: SegmentationClient) -> ModelBands | None:
    """The bands that the server's model takes; `None` for 8-bit RGB.

    Raises:
        UserError: the server does not say.
    """
    try:
        return client.model_bands()
    except SegmentationError as error:
        raise UserError(str(error)) from None


def segment(
    client: SegmentationClient, picture: Path, encode: Callable[[Path, bytes], bytes] | None = None
) -> Segmentation:
    """What the server behind `client` finds in a file.

    `encode` makes what the model takes of the file's path and bytes; without it those are the bytes.

    Raises:
        RefusedPictureError: the server refuses it.
        FailedPictureError: the file cannot be read, or the answer takes too long.
        UserError: the server does not answer.
    """
    try:
        return client.predict(encode(picture, picture.read_bytes()) if encode else picture)
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
    if url.startswith("v2+"):
        return f"{url.rstrip('/')}/v2/models/{model}/versions/{label}"
    return f"{url.rstrip('/')}/v1/models/{model}/labels/{label}"


def _version_of(url: str, address: str) -> int:
    try:
        client = SegmentationClient(address, timeout=_SECONDS, patience=0)
    except ValueError:
        raise UserError(f"{url} is not the address of a server: one is http://HOST:8501 or grpc://HOST:8500") from None
    with client:
        try:
            return client.model_version()
        except (ServerUnavailableError, DeadlineExceededError) as error:
            raise UserError(f"{url} does not answer: {error}") from None
        except SegmentationError as error:
            raise UserError(
                f"{address} is not there, or not yet ({error}): wait until the server follows the registry"
            ) from None
