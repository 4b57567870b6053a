"""Dates in paths: `{date}/images/**` has a folder for each day, `{date:%Y/%m}/images/**` one for each month."""

from __future__ import annotations

import datetime
import posixpath
import re
from collections.abc import Sequence

from components.example_gen.globs import is_wild, plain_regex

_PLACEHOLDER = re.compile(r"\{date(?::([^{}]*))?\}")
_ISO = "%Y-%m-%d"
_DIGITS = {"Y": 4, "m": 2, "d": 2}
_MARK = "\0"  # In front of a directive; a percent sign may be in a path as it is.
_DIRECTIVE = re.compile(f"{_MARK}([Ymd])")


def is_dated(path: str) -> bool:
    """Returns whether the path or glob has a `{date}`."""
    return _PLACEHOLDER.search(path) is not None


def split_root(root: str) -> tuple[str, str]:
    """Splits `data/{date}/north` into the folder that holds all dates and the rest: `data` and `{date}/north`.

    Raises `ValueError` where it is the bucket's name that has the date.
    """
    found = _PLACEHOLDER.search(root)
    if found is None:
        return root, ""
    above, slash, _ = root[: found.start()].rpartition("/")
    if above.endswith(":/"):
        raise ValueError(f"{root}: {{date}} cannot be in the name of a bucket, because buckets are not listed")
    return above or slash or ".", root[len(above + slash) :].strip("/")


class DatedPath:
    """A path or glob with `{date}`, which is `{date:%Y-%m-%d}`, or with other parts of a date in it.

    Without a day, or a month, it means the first one.

    Raises `ValueError` if it does not determine a date, or only after a `**`.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        formats = [match.group(1) or _ISO for match in _PLACEHOLDER.finditer(pattern)]
        unknown = [
            directive for text in formats for directive in re.findall("%.?", text) if directive[1:] not in _DIGITS
        ]
        if unknown:
            raise ValueError(f"{pattern}: {unknown[0]} is not supported in {{date:…}}; use %Y, %m and %d")
        self._marked = _PLACEHOLDER.sub(lambda match: (match.group(1) or _ISO).replace("%", _MARK), pattern)
        self._told = [part for part in _DIGITS if _MARK + part in self._marked]
        if self._told not in (["Y"], ["Y", "m"], ["Y", "m", "d"]):
            raise ValueError(f"{pattern}: {{date:…}} must have a year (%Y), and a month (%m) if it has a day (%d)")
        if "**" in self._levels:
            raise ValueError(f"{pattern}: {{date}} must come before **")

    @property
    def precision(self) -> int:
        """Precision of the date: 1 for the year, 2 with the month, 3 with the day."""
        return len(self._told)

    @property
    def ends_in_file(self) -> bool:
        """Whether the last part of the date is in the file name."""
        return len(self._levels) == len(self._marked.split("/"))

    def at(self, date: datetime.date) -> str:
        """The path or glob of one date."""
        parts = {"Y": f"{date.year:04}", "m": f"{date.month:02}", "d": f"{date.day:02}"}
        return _DIRECTIVE.sub(lambda match: parts[match.group(1)], self._marked)

    def label(self, date: datetime.date) -> str:
        """Formats a date at this precision: `2024-05-01`, `2024-05` or `2024`."""
        return "-".join(date.isoformat().split("-")[: self.precision])

    @property
    def prefix(self) -> str:
        """The folders before the first part with a date or a wildcard."""
        return "/".join(self._levels[: self._fixed])

    @property
    def names(self) -> list[re.Pattern[str]]:
        """Regular expressions for the names below `prefix`: one per level, the last with a part of the date."""
        return [re.compile(_regex(level)) for level in self._levels[self._fixed :]]

    def date_of(self, path: str) -> datetime.date | None:
        """Returns the date of a path down to the last of `names`; `None` if its parts are not a date, or conflict."""
        found: dict[str, str] = {}
        for level, name in zip(self._levels, path.split("/"), strict=True):
            match = re.fullmatch(_regex(level, group="("), name)
            if match is None:
                return None
            for part, digits in zip(_DIRECTIVE.findall(level), match.groups(), strict=True):
                if found.setdefault(part, digits) != digits:
                    return None
        year, month, day = (int(found.get(part, 1)) for part in _DIGITS)
        try:
            return datetime.date(year, month, day)
        except ValueError:
            return None

    @property
    def _levels(self) -> list[str]:
        segments = self._marked.split("/")
        last = max(number for number, segment in enumerate(segments) if _MARK in segment)
        return segments[: last + 1]

    @property
    def _fixed(self) -> int:
        return next(number for number, level in enumerate(self._levels) if _MARK in level or is_wild(level))


def check_dates(root: str, paths: Sequence[str], window: int, dates: Sequence[datetime.date] | None) -> None:
    """Raises `ValueError` if a source's root, paths and window do not fit together."""
    _, tail = split_root(root)
    joined = [posixpath.join(tail, path) for path in paths]
    dated = [path for path in joined if is_dated(path)]
    if not dated and (window != 1 or dates is not None):
        raise ValueError("window and dates need paths with {date}, but this source has none")
    if dated and (len(dated) < len(joined) or len({DatedPath(path).precision for path in dated}) > 1):
        raise ValueError(
            f"{', '.join(joined)} must have the same dates: write {{date}} in each of them, or in the root"
        )


def resolved(dates: Sequence[datetime.date] | None) -> Sequence[datetime.date]:
    """Returns the dates of a source with `{date}` in its paths, which must be resolved before it is listed."""
    if dates is None:
        raise ValueError("the dates of the data are not resolved: see components.example_gen.window.resolve_dates")
    return dates


def _regex(level: str, group: str = "(?:") -> str:
    texts = _DIRECTIVE.split(level)  # Text and directives alternate.
    parts = [
        plain_regex(text) if index % 2 == 0 else f"{group}[0-9]{{{_DIGITS[text]}}})" for index, text in enumerate(texts)
    ]
    return "".join(parts)
