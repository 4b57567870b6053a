"""How images are encoded for a model: as they are, or as the bands that it was trained with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.band_image import pack_plain
from segpipe_client import ModelBands, Segmentation, SegmentationClient
from serving.errors import RefusedPictureError
from serving.remote_predictor import bands_of, segment

if TYPE_CHECKING:
    from components.example_gen.bands_config import BandsConfig

Encode = Callable[[Path, bytes], bytes]
"""The file's path, for the words of an error, and its bytes → the bytes that the model takes."""

_MAX_PIXELS = 2**31
"""A server has its own limit, which it names."""


def encoding_of(config: Mapping[str, Any]) -> Encode:
    """Returns the encoding that a model trained with this configuration takes.

    It raises `RefusedPictureError` for a file without the bands that `data.bands` names.
    """
    if not config["data"].get("bands"):
        return lambda _, data: data
    from components.example_gen.config import DataConfig

    data_config = DataConfig.model_validate(config["data"])
    assert data_config.bands is not None
    return _bands_encoding(data_config.bands, data_config.limits.max_pixels)


class ServerEncoding:
    """The encoding that a server's model takes.

    Files are sent as they are; when the first one is refused, the server is asked whether its model takes bands.
    """

    def __init__(self, client: SegmentationClient) -> None:
        self._client = client
        self._encode: Encode | None = None
        self._is_known = False

    def segment(self, picture: Path) -> Segmentation:
        """What the server finds in a file; raises as `serving.remote_predictor.segment`."""
        try:
            return segment(self._client, picture, self._encode)
        except RefusedPictureError:
            if self._is_known:
                raise
            bands = bands_of(self._client)
            self._is_known = True
            if bands is None:
                raise
            self._encode = _encoding_for(bands)
        return segment(self._client, picture, self._encode)


def _encoding_for(bands: ModelBands) -> Encode:
    """Returns the encoding for a model of which only the number of bands and their depth are known."""
    from components.example_gen.bands_config import BandsConfig

    names = [f"band {number}" for number in range(1, bands.number + 1)]
    encode = _bands_encoding(BandsConfig.model_validate({"names": names, "depth": bands.depth}), _MAX_PIXELS)

    def encode_all(path: Path, data: bytes) -> bytes:
        try:
            return encode(path, data)
        except RefusedPictureError as error:
            raise RefusedPictureError(
                f"{error} (the server's model takes {bands.number} bands, {bands.depth}; if they are some of the "
                "file's, only a registry says which: use --registry)"
            ) from None

    return encode_all


def _bands_encoding(bands: BandsConfig, max_pixels: int) -> Encode:
    from components.example_gen.band_images import canonical_bands  # Imports TensorFlow.
    from components.example_gen.rejection import RejectionError

    def encode(path: Path, data: bytes) -> bytes:
        try:
            return pack_plain(canonical_bands(data, bands, max_pixels).image_HWC)
        except RejectionError as rejected:
            raise RefusedPictureError(f"{path}: {rejected.detail}") from None

    return encode
