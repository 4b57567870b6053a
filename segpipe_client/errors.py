"""Errors that a request can end with."""

from __future__ import annotations

import re
from typing import TypeVar

REFUSED = "picture refused: "
"""How each refusal begins, as in `common.decompression_bomb`."""

_GRAPH = re.compile(r"\{\{[^{}]*\}\}|\[\[.*?\]\]")
_FRAMES = ("Graph execution error", "Detected at node", "Original stack trace", 'File "', "<stack traces unavailable>")
_DECODERS = (
    ("Invalid JPEG", "the JPEG data is damaged or ends early"),
    ("jpeg::Uncompress failed", "the JPEG data is damaged or ends early"),
    ("Invalid PNG", "the PNG data is damaged or ends early"),
    ("Invalid GIF", "the GIF data is damaged or ends early"),
    ("Input size should match (header_size", "the BMP data is damaged or ends early"),
    ("Incomplete bmp", "the BMP data is damaged or ends early"),
    ("Unknown image file format", "it is not a JPEG, PNG, GIF or BMP"),
)


class SegmentationError(Exception):
    """No answer, and why; the kinds that an app may want to tell apart are below.

    Attributes:
        code: name of gRPC's status code, such as `NOT_FOUND`; over REST `HTTP 500` where several codes have the status.
    """

    code: str = "INTERNAL"


class PictureRefusedError(SegmentationError):
    """The server will never accept this image, or this request; the text is its own message.

    Attributes:
        index: position of the image, where several were given.
    """

    code = "INVALID_ARGUMENT"
    index: int | None = None


class ServerUnavailableError(SegmentationError):
    """The server could not be reached or was too busy, up to the deadline.

    Attributes:
        retry_after: seconds that the server asks to wait.
    """

    code = "UNAVAILABLE"

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineExceededError(SegmentationError):
    """The answer did not come in time."""

    code = "DEADLINE_EXCEEDED"


ErrorType = TypeVar("ErrorType", bound=SegmentationError)


def with_code(error: ErrorType, code: str) -> ErrorType:
    """The error with the code of the server's answer, in place of that of its kind."""
    error.code = code
    return error


def not_found(message: str) -> str:
    """The message for a model or version that the server does not have."""
    return f"the server has no such model or version, or not yet ({message})"


def extract_error_message(message: str) -> str:
    """The text of a TensorFlow error without the graph's names and traces; of an assertion, its text and figures.

    The texts of TensorFlow's decoders become a refusal that names the format.
    """
    lines = [line.strip() for line in _GRAPH.sub("", message).splitlines()]
    told = [line for line in lines if line and not line.startswith(_FRAMES)]
    said = next((line for line in told if "assertion failed" in line), told[0] if told else "the graph failed")
    if "assertion failed" in said:
        text = said.partition("assertion failed:")[2]
        return " ".join(text.replace("[", "").replace("]", "").split())
    return next((f"{REFUSED}{words}" for text, words in _DECODERS if text in said), said)


def shortened(text: str, limit: int = 64) -> str:
    """`text` without control characters, and cut: an error never repeats at length what somebody has sent."""
    cut = "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:limit])
    return cut if len(text) <= limit else f"{cut}…"
