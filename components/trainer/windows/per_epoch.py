"""Number of random windows in an epoch."""

from __future__ import annotations

MOST_STEPS = 250
"""Steps of an epoch, as in nnU-Net (Isensee et al. 2021)."""


def covering_windows(pixels: float, window_pixels: int) -> int:
    """Returns how many windows have as many pixels as the training images, at the scale of the windows."""
    return round(pixels / window_pixels)


def default_windows_per_epoch(images: int, covering: int, batch_size: int) -> int:
    """Returns the number that covers the images once: at least one of each image, and at most `MOST_STEPS` batches."""
    return max(images, min(covering, MOST_STEPS * batch_size))
