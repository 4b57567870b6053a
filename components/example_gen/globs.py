"""Globs that name what they match: `images/**` finds `images/a/1.jpg` under the name `a/1`."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cached_property

_WILD = re.compile(r"[*?[]")


@dataclass(frozen=True)
class Glob:
    """A pattern over relative paths: `*` and `?` stay within a name, `[…]` is a choice, `**` spans any folders.

    What the wildcards match, without the file's suffix, is the name by which image and mask are paired:
    `leftImg8bit/*/*_leftImg8bit.png` and `gtFine/*/*_labelIds.png` both name `bonn/bonn_000001`.
    """

    pattern: str
    label: str = ""
    """Prefix of each name, followed by a slash, if any."""

    @property
    def prefix(self) -> str:
        """The folders before the first wildcard: nothing outside them can match."""
        folders = posixpath.dirname(self.pattern).split("/")
        wild = next((i for i, part in enumerate(folders) if _WILD.search(part)), len(folders))
        return "/".join(folders[:wild])

    def name(self, path: str) -> str | None:
        """Returns the name of the file at `path`, or None if the pattern does not match it."""
        match = self._regex.fullmatch(path)
        if match is None:
            return None
        parts = [part for part in match.groups() if part] or [posixpath.basename(path)]
        name = "/".join(part.strip("/") for part in parts)
        return posixpath.join(self.label, posixpath.splitext(name)[0] if path.endswith(name) else name)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        *folders, last = self.pattern.split("/")
        regex = "".join(r"((?:[^/]+/)*)" if part == "**" else _segment(part) + "/" for part in folders)
        return re.compile(regex + (r"(.+)" if last == "**" else _segment(last)), re.DOTALL)


def is_wild(text: str) -> bool:
    """Returns whether `text` has a wildcard."""
    return _WILD.search(text) is not None


def plain_regex(text: str) -> str:
    """The regular expression, without groups, of a path segment or a part of one."""
    return "".join(_piece(piece) for piece in _pieces(text))


def _pieces(text: str) -> list[str]:
    return re.findall(r"\[!?\]?[^\]]*\]|[*?]|[^*?[]+|\[", text)


def _segment(text: str) -> str:
    """The regular expression of one path segment, with one group from its first wildcard to its last."""
    pieces = _pieces(text)
    wild = [i for i, piece in enumerate(pieces) if piece in "*?" or (piece[0] == "[" and len(piece) > 1)]
    if not wild:
        return re.escape(text)
    regexes = [_piece(piece) for piece in pieces]
    first, last = wild[0], wild[-1] + 1
    return "".join(regexes[:first]) + f"({''.join(regexes[first:last])})" + "".join(regexes[last:])


def _piece(piece: str) -> str:
    if piece == "*":
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if piece[0] == "[" and len(piece) > 1:
        inside = piece[1:-1].replace("\\", r"\\").replace("[", r"\[").replace("&&", r"&\&")
        return f"[^/{inside[1:]}]" if inside.startswith("!") else f"(?!/)[{inside.replace('^', chr(92) + '^')}]"
    return re.escape(piece)
