"""How the images of a model's data are encoded for it: as they are, or as the bands that its configuration names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from common.band_image import pack_plain
from serving.errors import RefusedPictureError

Encode = Callable[[Path, bytes], bytes]
"""The file's path, for the words of an error, and its bytes → the bytes that the model takes."""


def encoding_of(config: Mapping[str, Any]) -> Encode:
    """Returns the encoding that a model trained with this configuration takes.

    It raises `RefusedPictureError` for a file without the bands that `data.bands` names.
    """
    if not config["data"].get("bands"):
        return lambda _, data: data
    from components.example_gen.band_images import canonical_bands  # Imports TensorFlow.
    from components.example_gen.config import DataConfig
    from components.example_gen.rejection import RejectionError

    data_config = DataConfig.model_validate(config["data"])
    bands = data_config.bands
    assert bands is not None

    def encode(path: Path, data: bytes) -> bytes:
        try:
            return pack_plain(canonical_bands(data, bands, data_config.limits.max_pixels).image_HWC)
        except RejectionError as rejected:
            raise RefusedPictureError(f"{path}: {rejected.detail}") from None

    return encode
