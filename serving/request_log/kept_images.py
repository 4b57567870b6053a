"""Images that the request log keeps for some days and within some bytes, by a second opt-in."""

from __future__ import annotations

import datetime

from common.band_image import is_band_image
from serving.request_log.folder import IMAGES, LogFolder, StoredFile

_SUFFIXES = {b"\xff\xd8\xff": "jpg", b"\x89PNG": "png", b"GIF8": "gif", b"BM": "bmp"}


class KeptImages:
    """Images of all servers that write to one log; each of them enforces the retention of the whole."""

    def __init__(self, folder: LogFolder, days: int, encoded_bytes: int) -> None:
        self._folder = folder
        self._days = days
        self._bytes = encoded_bytes

    def keep(self, encoded: bytes, digest: str, day: datetime.date) -> str:
        """Writes an image, and returns its path; an image that comes again on a day is one file.

        Raises:
            Exception: any that the store raises.
        """
        path = f"{IMAGES}/{day.isoformat()}/{digest}.{suffix_of(encoded)}"
        self._folder.write(path, encoded)
        return path

    def enforce(self, today: datetime.date) -> int:
        """Removes images that are too old, then the oldest beyond the number of bytes; returns how many.

        Raises:
            Exception: any that the store raises.
        """
        oldest = (today - datetime.timedelta(days=self._days)).isoformat()
        files = self._folder.files(IMAGES)
        outdated = [file for file in files if _day(file) < oldest]
        left = [file for file in files if _day(file) >= oldest]
        excess = sum(file.size for file in left) - self._bytes
        for file in left:
            if excess <= 0:
                break
            outdated.append(file)
            excess -= file.size
        for file in outdated:
            self._folder.remove(file.path)
        return len(outdated)


def suffix_of(encoded: bytes) -> str:
    """Returns the suffix of an image's file."""
    if is_band_image(encoded):
        return "bands"
    return next((suffix for start, suffix in _SUFFIXES.items() if encoded.startswith(start)), "bin")


def _day(file: StoredFile) -> str:
    return file.path.split("/")[1]
