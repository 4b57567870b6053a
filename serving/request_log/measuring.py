"""Row of an image of a request: what its answer says, and what is measured of the image itself."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from common.image_tone import Tone, png_size, tone_of
from common.signatures import CLASS_FRACTIONS, CLASS_NAMES, ERRORS, MASK_BYTES, MEAN_CONFIDENCE
from serving.request_log.pending import Answered, PendingImage
from serving.request_log.rows import OK, LoggedImage

_REFUSED = "INVALID_ARGUMENT"
_HEADER_BYTES = 24
_ERROR_LENGTH = 300


def pending_images(
    answered: Answered, inputs: Sequence[bytes], outputs: dict[str, Any] | None, status: str, error: str
) -> Iterator[PendingImage]:
    """Yields the images of a request; cheap, as it runs on the event loop.

    Args:
        answered: What answered the request.
        inputs: The encoded images [B].
        outputs: The answer, each output with the batch as its first axis; `None` if there is none.
        status: Name of the status code of the whole request.
        error: The message to the client; empty if there is none.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    for index, encoded in enumerate(inputs):
        answer = _answer(outputs or {}, index)
        refusal = answer.get(ERRORS) or ""
        is_answered = status == OK and not refusal
        yield PendingImage(
            time=now,
            answered=answered,
            status=_REFUSED if refusal else status,
            error=(refusal or error)[:_ERROR_LENGTH] or None,
            encoded=encoded,
            mask_header=answer.get(MASK_BYTES, b"") if is_answered else b"",
            class_fractions=answer.get(CLASS_FRACTIONS) if is_answered else None,
            mean_confidence=answer.get(MEAN_CONFIDENCE) if is_answered else None,
        )


def logged_image(image: PendingImage, kept: str | None = None) -> LoggedImage:
    """Measures an image and returns its row; blocks for the time that decoding takes.

    Images that the model has refused are not decoded: the decoders here have not the limits of the served graph.
    """
    size = png_size(image.mask_header)
    tone = _tone(image.encoded) if image.status == OK else None
    return LoggedImage(
        time=image.time,
        **image.answered._asdict(),
        status=image.status,
        error=image.error,
        height=size[0] if size else None,
        width=size[1] if size else None,
        encoded_bytes=len(image.encoded),
        digest=digest_of(image.encoded),
        class_fractions=image.class_fractions,
        mean_confidence=image.mean_confidence,
        brightness=tone.brightness if tone else None,
        contrast=tone.contrast if tone else None,
        image=kept,
    )


def digest_of(encoded: bytes) -> str:
    """Returns the SHA-256 of an encoded image, in hexadecimal."""
    return hashlib.sha256(encoded).hexdigest()


def _answer(outputs: dict[str, Any], index: int) -> dict[str, Any]:
    """Returns what the outputs say of one image: only the outputs that rows hold."""
    answer: dict[str, Any] = {}
    if MASK_BYTES in outputs:
        answer[MASK_BYTES] = outputs[MASK_BYTES][index][:_HEADER_BYTES]
    if MEAN_CONFIDENCE in outputs:
        answer[MEAN_CONFIDENCE] = float(outputs[MEAN_CONFIDENCE][index])
    if ERRORS in outputs:
        answer[ERRORS] = outputs[ERRORS][index].decode(errors="replace")
    if CLASS_FRACTIONS in outputs and CLASS_NAMES in outputs:
        names = (name.decode(errors="replace") for name in outputs[CLASS_NAMES][index])
        answer[CLASS_FRACTIONS] = dict(zip(names, outputs[CLASS_FRACTIONS][index].tolist(), strict=True))
    return answer


def _tone(encoded: bytes) -> Tone | None:
    try:
        return tone_of(encoded)
    except ValueError:
        return None
