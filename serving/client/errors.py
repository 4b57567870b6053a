"""What a request can end with, other than a segmentation."""

from __future__ import annotations

import re

_GRAPH = re.compile(r"\{\{[^{}]*\}\}|\[\[.*?\]\]")


class SegmentationError(Exception):
    """No segmentation, and why; the kinds that an app may want to tell apart are below."""


class PictureRefusedError(SegmentationError):
    """The server will never take this picture, or this request; the text is its own sentence.

    Attributes:
        index: which picture it was, where several were given.
    """

    index: int | None = None


class ServerUnavailableError(SegmentationError):
    """The server could not be reached or was too busy, up to the deadline.

    Attributes:
        retry_after: seconds that the server asks to wait.
    """

    def __init__(self, message: str, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineExceededError(SegmentationError):
    """The answer did not come in time."""


def not_found(message: str) -> str:
    """What a server says of a model or version that it does not have, in words for a person."""
    return f"the server has no such model or version, or not yet ({message})"


def sentence(message: str) -> str:
    """What a TensorFlow graph says in `message`, without the graph around it; of an assertion, its text and figures."""
    lines = [line.strip() for line in _GRAPH.sub("", message).splitlines()]
    told = [line for line in lines if line and not line.startswith("Detected at node")]
    said = next((line for line in told if "assertion failed" in line), told[0] if told else message)
    if "assertion failed" not in said:
        return said
    text = said.partition("assertion failed:")[2]
    return " ".join(text.replace("[", "").replace("]", "").split())
