"""Parses origins of web pages (RFC 6454) for the option `--allow-origin`, without TensorFlow."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from segpipe_client.errors import shortened

ANY = "*"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> str:
    """Normalises an origin to the form that browsers send: lower case, no default port; or `*` for any.

    Raises:
        ValueError: it is not an origin; the text shows the format.
    """
    if text == ANY:
        return text
    form = "an origin is SCHEME://HOST or SCHEME://HOST:PORT, such as https://app.example.org, or * for any"
    if text == "null":
        raise ValueError(f"a page that is opened from a file has no origin of its own, and only * allows it; {form}")
    try:
        parts = urlsplit(text)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode() if ":" not in (parts.hostname or "") else parts.hostname
    except (ValueError, UnicodeError):
        raise ValueError(f"{shortened(text)!r} is not an origin; {form}") from None
    if not host or not re.fullmatch(r"[a-z][a-z0-9+.-]*", parts.scheme) or not re.fullmatch(r"[a-z0-9_.:-]+", host):
        raise ValueError(f"{shortened(text)!r} is not an origin; {form}")
    host = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS.get(parts.scheme)) else f":{port}")
    if parts.path or parts.query or parts.fragment or parts.username is not None or text.endswith(("?", "#")):
        raise ValueError(f"{shortened(text)!r} is more than an origin: {origin} is meant; {form}")
    return origin
