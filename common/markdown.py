"""Text in Markdown."""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Escapes `text` for Markdown and HTML, on one line."""
    escaped = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_{}\[\]#|>~])", r"\\\1", escaped)
