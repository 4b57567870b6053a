"""Client for segmentation models behind segpipe's server or TensorFlow Serving, over REST or gRPC.

    from segpipe_client import SegmentationClient

    with SegmentationClient("http://localhost:8501/v1/models/pets") as client:
        segmentation = client.predict("cat.jpg")
    print(segmentation.fractions, segmentation.model_version)
    segmentation.overlay().save("overlay.png")

It needs NumPy, Pillow and httpx, and the extra `grpc` for grpc:// and grpcs://; neither TensorFlow nor anything else of
segpipe. This folder is the distribution `segpipe-client`.
"""

from __future__ import annotations

from .answer import ModelBands, VersionState
from .bands import Bands
from .clients import AsyncSegmentationClient, SegmentationClient
from .errors import DeadlineExceededError, PictureRefusedError, SegmentationError, ServerUnavailableError
from .segmentation import Segmentation

__all__ = [
    "AsyncSegmentationClient",
    "Bands",
    "DeadlineExceededError",
    "ModelBands",
    "PictureRefusedError",
    "Segmentation",
    "SegmentationClient",
    "SegmentationError",
    "ServerUnavailableError",
    "VersionState",
]

__version__ = "0.1.0"
