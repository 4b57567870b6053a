"""The mask of an annotated image, as the bytes of a mask file of class indices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

from components.example_gen.annotations.document import Shape, Size
from components.example_gen.annotations.drawing import Drawing
from components.example_gen.headers import open_image
from components.example_gen.images import png
from components.example_gen.quarantine import Reason
from components.example_gen.rejection import RejectionError


def annotated_mask(
    image: bytes, stated: Size | None, shapes: Callable[[Size], Sequence[Shape]], drawing: Drawing, max_pixels: int
) -> bytes:
    """Draws the annotations of an image file.

    Args:
      image: The bytes of the image file; only its header is read.
      stated: The size that the annotations are for; `None` if they do not state it.
      shapes: Reads the annotations for a size.
      drawing: How they are drawn.
      max_pixels: Most pixels of an image.

    Raises:
      RejectionError: an annotation cannot be drawn, or the image has another size than they state.
    """
    size = _size(image, stated, max_pixels)
    return png(Image.fromarray(drawing.mask(shapes(size), size)))


def _size(image: bytes, stated: Size | None, max_pixels: int) -> Size:
    """Returns the size to draw in: the image's as displayed, or as stored if the annotations say so."""
    header = open_image(image, max_pixels)
    shown = (header.width, header.height)
    if stated in (None, shown):
        return shown
    if stated is not None and stated == header.file_size:  # Drawn before the image was turned upright.
        return stated
    raise RejectionError(
        Reason.SIZE_MISMATCH,
        f"the annotations are for {stated and stated[0]}×{stated and stated[1]} pixels, the image has "
        f"{shown[0]}×{shown[1]}",
        "the annotations state another size than the image has",
        "correct the size in the annotation file, or use the images that were annotated",
    )
