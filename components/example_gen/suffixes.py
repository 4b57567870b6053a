"""The suffixes of files that may be images or masks."""

from __future__ import annotations

# Formats without a decoder here are quarantined by name, not ignored.
_READ = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp"}
_UNREAD = {".heic", ".heif", ".avif", ".jp2", ".jxl", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".psd", ".svg", ".eps"}
_UNREAD |= {".exr", ".hdr", ".dcm", ".nii", ".npy", ".npz", ".mat", ".ico", ".raw", ".dng", ".cr2", ".nef"}
PICTURE_SUFFIXES = frozenset(_READ | _UNREAD)
