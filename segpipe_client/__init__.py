"""What an app imports to have pictures segmented: by this project's server or by TensorFlow Serving.

    from segpipe_client import SegmentationClient

    with SegmentationClient("http://localhost:8501/v1/models/pets") as client:
        segmentation = client.predict("cat.jpg")
    print(segmentation.fractions, segmentation.model_version)
    segmentation.overlay().save("overlay.png")

It needs NumPy and Pillow, and httpx for http:// and https:// or grpcio for grpc:// and grpcs://; neither TensorFlow nor
anything else of this project. Its imports are relative, so that the folder can be copied into an app under any name.
"""

from __future__ import annotations

from .clients import AsyncSegmentationClient, SegmentationClient
from .errors import DeadlineExceededError, PictureRefusedError, SegmentationError, ServerUnavailableError
from .segmentation import Segmentation

__all__ = [
    "AsyncSegmentationClient",
    "DeadlineExceededError",
    "PictureRefusedError",
    "Segmentation",
    "SegmentationClient",
    "SegmentationError",
    "ServerUnavailableError",
]
