"""Images without annotations: their rejection, or the place that stands for their annotations."""

from __future__ import annotations

from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError

_MARK = "#unannotated"


def unannotated() -> RejectionError:
    """Returns the rejection of an image that has no annotation."""
    cause = "an image without annotations"
    remedy = "write unannotated: background under data.source if there is nothing in such images"
    return RejectionError(Reason.MISSING_MASK, f"has no annotation; {remedy}", cause, remedy)


def no_mask(image: str) -> str:
    """Returns what stands for the mask's path of an image that has no annotation file, and is background."""
    return image + _MARK


def is_no_mask(mask: str) -> bool:
    """Returns whether a mask's path was made by `no_mask`."""
    return mask.endswith(_MARK)
