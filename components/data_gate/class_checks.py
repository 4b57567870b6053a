"""Checks of the masks' content: classes without a pixel, and the share of void pixels."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from common.plurals import counted
from common.records import MASK_CLASSES, MASK_VOID_FRACTION, SPLITS
from components.data_gate.config import ValidationConfig
from components.data_gate.result import Finding
from components.example_gen.quarantine import IngestionSummary

_NAMED = 8
"""Number of names listed in an informational message; the rest are counted."""
_OTHERS = ("eval", "test")


def check_classes(summary: IngestionSummary, config: ValidationConfig) -> list[Finding]:
    """Checks that each class has a pixel in train, and reports those that have none in eval or test.

    A model cannot learn a class that train lacks: that stops the run, unless `config.may_be_absent` names the class.
    A class that eval or test lacks has no metric there: a warning.  A split without pairs is skipped, because
    its size is a finding already.
    """
    findings = _check_train(summary, config) if summary.used.get("train") else []
    for split in _OTHERS:
        if summary.used.get(split):
            findings += _check_other(summary, split)
    return findings


def check_void(summary: IngestionSummary, max_void: float) -> list[Finding]:
    """Checks that at most `max_void` of the pixels of each split are void; warns of images that are mostly void."""
    filled = [split for split in SPLITS if summary.used.get(split) and summary.void_pixels.get(split)]
    return [_check_split_void(summary, split, max_void) for split in filled]


def _check_train(summary: IngestionSummary, config: ValidationConfig) -> list[Finding]:
    absent = _absent(summary, "train")
    accepted = [name for name in absent if config.may_be_absent == "all" or name in config.may_be_absent]
    missing = [name for name in absent if name not in accepted]
    findings = []
    if missing:
        detail = (
            f"{_classes(missing, len(missing))} no pixel in train{_elsewhere(summary, missing)}: {_remedy(missing)}"
        )
        findings.append(_finding("train", detail, passed=False))
    if accepted:
        detail = f"{_classes(accepted, _NAMED)} no pixel in train, as validation.may_be_absent allows"
        findings.append(_finding("train", detail, passed=True))
    if not absent:
        findings.append(
            _finding("train", f"each of the {len(summary.classes)} classes has pixels in train", passed=True)
        )
    return findings


def _check_other(summary: IngestionSummary, split: str) -> list[Finding]:
    """A class that train lacks too is not reported again."""
    unseen = {*_absent(summary, "train")} if summary.used.get("train") else set()
    absent = [name for name in _absent(summary, split) if name not in unseen]
    if not absent:
        return []
    them = _them(absent)
    detail = (
        f"{_classes(absent, _NAMED)} no pixel in {split}, so no metric is computed for {them} there: give pairs that "
        f"hold {them} to {split}, or set data.split.stratify: classes"
    )
    return [_finding(split, detail, passed=True, warning=True)]


def _check_split_void(summary: IngestionSummary, split: str, max_void: float) -> Finding:
    share, mostly = summary.void_share(split), summary.mostly_void.get(split, 0)
    detail = f"{share:.1%} of the pixels of {split} are void and do not count, at most {max_void:.1%} may be"
    if mostly:
        are = "is" if mostly == 1 else "are"
        detail += f"; {mostly} of {counted(summary.used[split], 'image')} {are} void to more than 90%"
    if share > max_void:
        detail += (
            ": see data.labels (which values are void?), or, if that is right, add to `validation:` the line "
            f"`max_void: {_above(share)}`"
        )
    return Finding(
        check="void",
        split=split,
        feature=MASK_VOID_FRACTION,
        passed=share <= max_void,
        warning=share <= max_void and mostly > 0,
        detail=detail,
    )


def _absent(summary: IngestionSummary, split: str) -> list[str]:
    counts = summary.class_pixels.get(split) or (0,) * len(summary.classes)
    return [name for name, count in zip(summary.classes, counts, strict=True) if not count]


def _classes(names: Sequence[str], shown: int) -> str:
    """Subject and verb of a sentence: `the class 'rare' has`, `2 classes (rare, odd) have`."""
    if len(names) == 1:
        return f"the class {names[0]!r} has"
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{len(names)} classes ({', '.join(names[:shown])}{more}) have"


def _elsewhere(summary: IngestionSummary, names: Sequence[str]) -> str:
    """Describes which splits have images with these classes, if any."""
    places = []
    for split in _OTHERS:
        pictures = dict(zip(summary.classes, summary.class_pictures.get(split, ()), strict=False))
        count = sum(pictures.get(name, 0) for name in names)
        if count:
            places.append(f"{count} in {split}")
    return f" (images with {_them(names)}: {', '.join(places)})" if places else ""


def _remedy(names: Sequence[str]) -> str:
    listed = yaml.safe_dump(list(names), default_flow_style=True, width=float("inf"), allow_unicode=True).strip()
    return (
        f"add pairs that hold {_them(names)}, take {_them(names)} out of data.classes, or, if {_they(names)} may be "
        f"absent, add to `validation:` the line `may_be_absent: {listed}`"
    )


def _above(share: float) -> float:
    """The share rounded up to two places, so that the suggested limit accepts this data."""
    return min(1.0, (int(share * 100) + 1) / 100)


def _them(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "them"


def _they(names: Sequence[str]) -> str:
    return "it" if len(names) == 1 else "they"


def _finding(split: str, detail: str, passed: bool, warning: bool = False) -> Finding:
    return Finding(check="classes", split=split, feature=MASK_CLASSES, passed=passed, warning=warning, detail=detail)
