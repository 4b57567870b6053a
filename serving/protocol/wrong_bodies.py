"""Recognises request bodies that are not a prediction's JSON, to name their kind and the right format in the error."""

from __future__ import annotations

import re

RIGHT_FORM = '{"instances": [{"b64": "<base64 of the JPEG, PNG, GIF or BMP file>"}]}'
_SEND = f"send {RIGHT_FORM}"

_FILES = (
    (b"\xff\xd8\xff", "a JPEG file itself"),
    (b"\x89PNG", "a PNG file itself"),
    (b"GIF8", "a GIF file itself"),
    (b"BM", "a BMP file itself"),
    (b"RIFF", "a WebP file itself"),
    (b"II*\0", "a TIFF file itself"),
    (b"MM\0*", "a TIFF file itself"),
    (b"\x1f\x8b", "gzip data without the header `Content-Encoding: gzip`"),
    (b"\xef\xbb\xbf", "text with a byte order mark, which JSON must not have"),
    (b"\xff\xfe", "UTF-16 text, and JSON is UTF-8"),
    (b"\xfe\xff", "UTF-16 text, and JSON is UTF-8"),
    (b"data:", "a data URI"),
    (b"<", "HTML or XML"),
)
_TYPES = (
    ("multipart/", "a form's upload (multipart)"),
    ("image/", "an image file"),
    ("application/octet-stream", "binary data"),
)
_IMAGE_IN_BASE64 = re.compile(r"(/9j/|_9j_|iVBORw0KGgo|R0lGOD|Qk[0-9])")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_=\s-]{40,}")
_FORM = re.compile(rb"[A-Za-z0-9_.\[\]-]{1,64}=")
_URL = re.compile(r"(https?|s3|gs|file)://", re.IGNORECASE)
_PATH = re.compile(r"[^\n]{1,255}\.(jpe?g|png|gif|bmp|tiff?|webp)", re.IGNORECASE)
_HEAD = 4096


def what_body_is(body: bytes, content_type: str = "", send: str = _SEND) -> str:
    """Describes a body that cannot be parsed as JSON, and what to send; empty if it looks like malformed JSON."""
    found = next((words for magic, words in _FILES if body.startswith(magic)), "")
    if not found and body.lstrip()[:1] not in (b"{", b"["):
        found = next((words for start, words in _TYPES if content_type.lower().startswith(start)), "")
        found = found or _text_kind(body)
    return f"the body is {found}: {send}" if found else ""


def what_text_is(text: str) -> str:
    """Describes a string in the place of a file's bytes, and what to send; empty if it is not recognised.

    TensorFlow Serving takes such a string as the bytes themselves.
    """
    if text.startswith("data:"):
        return f"is a data URI: send what follows its comma, as {RIGHT_FORM}"
    if _IMAGE_IN_BASE64.match(text):
        return f"is base64 without its key, and is taken for the bytes themselves: {_SEND}"
    if _URL.match(text):
        return f"is an address, and the server fetches no images: {_SEND}"
    return f"is the name of a file, and the server reads no files: {_SEND}" if _PATH.fullmatch(text) else ""


def what_base64_is(text: str) -> str:
    """Returns why the value of `b64` cannot be decoded, if it is recognised."""
    if text.startswith("data:"):
        return "it is a data URI, send only what follows its comma"
    if _URL.match(text):
        return "it is an address, and the server fetches no images: send the base64 of the file"
    head = text[:_HEAD]
    if ("-" in head or "_" in head) and not ("+" in head or "/" in head):
        return "it is base64 for URLs (- and _), send the standard alphabet (+ and /)"
    return "its alphabet is A–Z, a–z, 0–9, + and /"


def _text_kind(body: bytes) -> str:
    if _FORM.match(body) and b"=" in body[:65]:
        return "a form's fields (name=value)"
    if _BASE64.fullmatch(body[:_HEAD].strip()):
        return "base64 without the JSON around it"
    if body.lstrip()[:1] == b'"':
        return "a JSON string"
    return ""
