"""`segpipe rollout`: starts a canary beside the served version, compares both, and promotes or aborts the canary."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import UserError
from common.plurals import counted
from pipeline.cli.console import quiet_streams
from registry.canary_policy import CanaryPolicy
from registry.errors import RegistryError
from registry.serving_record import CANARY, STABLE, ServingRecord
from registry.store import Registry

if TYPE_CHECKING:
    import numpy as np

    from serving.version_comparison import Agreement

_SECONDS = 60.0  # For one image, with all attempts.
_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png"})

ToMask = Callable[[Path], "np.ndarray"]


def describe(uri: str) -> str:
    """Describes the served version, the canary, and the last automatic decision."""
    record = Registry(uri).serving_record()
    lines = [_describe_labels(record)]
    if record.canary is not None and record.canary.policy is not None:
        lines.append(_describe_policy(record.canary.policy))
    if record.decisions:
        last = record.decisions[-1]
        lines.append(f"{last.decided.astimezone():%Y-%m-%d %H:%M}: {last.describe()}")
    return "\n".join(lines)


def _describe_labels(record: ServingRecord) -> str:
    served = "no version is served" if record.served is None else f"version {record.served} is served"
    if record.canary is None:
        return f"{served}; no canary"
    canary = record.canary
    since = f"{canary.since.astimezone():%Y-%m-%d %H:%M}"
    return f"{served}; version {canary.version} is the canary for {canary.percent}% of the requests, since {since}"


def _describe_policy(policy: CanaryPolicy) -> str:
    return (
        f"it is decided automatically after {counted(policy.images, 'compared image')} ({policy.mode}), or after "
        f"{counted(policy.minutes, 'minute')} with at least {policy.least_images}"
    )


def start_canary(uri: str, percent: int, version: int | None) -> str:
    """Makes `version` the canary; by default the current canary, or else the newest version.

    Raises:
        UserError: no version can be the canary.
    """
    registry = Registry(uri)
    number = _candidate(registry) if version is None else version
    registry.start_canary(number, percent)
    return _describe_labels(registry.serving_record())


def roll_back(uri: str) -> str:
    """Aborts the canary; without one, rolls back to the version that was served before."""
    registry = Registry(uri)
    if registry.canary() is not None:
        return f"version {registry.abort_canary()} is no longer the canary; version {registry.served()} is served"
    return roll_back_to(uri, None)


def roll_back_to(uri: str, version: int | None) -> str:
    """Rolls back to `version`, by default to the one that was served before; a canary stays.

    Raises:
        UserError: see `Registry.rollback`.
    """
    registry = Registry(uri)
    before = registry.served()
    return f"version {registry.rollback(version)} is served now, instead of {before}"


def promote_canary(uri: str, images: Sequence[Path], at_least: float, url: str | None) -> Iterator[str]:
    """Promotes the canary; if images are given, only if it agrees with the served version on their masks.

    Args:
        uri: The registry.
        images: Image files, or folders of them.
        at_least: Mean IoU of the masks of both versions below which nothing is promoted.
        url: Server whose labels are called (REST); without it, both versions are loaded in this process.

    Yields:
        Lines that report what was found and done.

    Raises:
        UserError: they agree less, only one of them refuses an image, or there is no canary or no image.
    """
    registry = Registry(uri)
    labels = registry.labels()
    if labels.keys() != {STABLE, CANARY}:
        raise RegistryError(f"the registry {uri} has no canary; `segpipe rollout --canary PERCENT` creates one")
    if images:
        found, refused = _compare(registry, labels, _files(images), url)
        text = (
            f"versions {labels[STABLE]} and {labels[CANARY]} agree on {found.equal_pixels:.2%} of the pixels of "
            f"{counted(found.pictures, 'image')}, mean IoU {found.mean_iou:.4f}"
        )
        if refused:
            text += f"; both refuse {counted(refused, 'image')}"
        if found.mean_iou < at_least:
            raise UserError(f"{text}: below {at_least}, so the canary is not promoted")
        yield text
    registry.promote(labels[CANARY])
    yield f"version {labels[CANARY]} is served now, instead of {labels[STABLE]}"


def _candidate(registry: Registry) -> int:
    if (canary := registry.canary()) is not None:
        return canary.version
    record = registry.serving_record()
    if not registry.versions():
        raise UserError(f"the registry {registry.uri} has no version")
    newer = [m.version for m in registry.versions() if m.version > (record.served or 0)]
    fit = [version for version in newer if version not in record.withdrawn]
    if not fit:
        raise UserError(
            f"the registry {registry.uri} has no version newer than the served one: name one with --version"
        )
    return fit[-1]


def _files(images: Sequence[Path]) -> list[Path]:
    files = []
    for path in images:
        if path.is_dir():
            files += sorted(file for file in path.rglob("*") if file.suffix.lower() in _SUFFIXES)
        elif path.is_file():
            files.append(path)
        else:
            raise UserError(f"image not found: {path}")
    if not files:
        raise UserError(f"no images in {', '.join(map(str, images))}")
    return files


def _compare(
    registry: Registry, labels: dict[str, int], files: Sequence[Path], url: str | None
) -> tuple[Agreement, int]:
    """Returns how far both agree, and how many images both refuse."""
    from serving.version_comparison import Comparison

    comparison, refused = Comparison(), 0
    with (
        tempfile.TemporaryDirectory() as folder,
        quiet_streams(Path(folder) / "log") as console,
        console.status("loading both versions" if url is None else f"asking {url}") as status,
    ):
        both = [_way_to_ask(registry, labels, label, url) for label in (STABLE, CANARY)]
        for number, file in enumerate(files, 1):
            status.update(f"comparing image {number} of {len(files)}")
            if (masks := _masks(both, file)) is None:
                refused += 1
            else:
                comparison.add(*masks)
    if refused == len(files):
        raise UserError(f"both versions refuse {counted(refused, 'image')}, and no others are left to compare")
    return comparison.agreement(), refused


def _masks(both: Sequence[ToMask], file: Path) -> list[np.ndarray] | None:
    """Returns both masks of a file; None if both versions refuse it.

    Raises:
        RefusedPictureError: one of them refuses it.
    """
    from serving.errors import RefusedPictureError

    masks, refusals = [], []
    for ask in both:
        try:
            masks.append(ask(file))
        except RefusedPictureError as refusal:
            refusals.append(refusal)
    if len(refusals) == 1:
        raise RefusedPictureError(f"only one of the two versions accepts {refusals[0]}")
    return masks or None


def _way_to_ask(registry: Registry, labels: dict[str, int], label: str, url: str | None) -> ToMask:
    if url is None:
        return _loaded(registry, labels[label])
    return _asked(url, registry.manifest(labels[STABLE]).model_name, label, labels[label])


def _loaded(registry: Registry, version: int) -> ToMask:
    from serving.predictor import Predictor

    predictor = Predictor(registry, version)
    return lambda file: predictor.predict(file).mask_HW


def _asked(url: str, name: str, label: str, version: int) -> ToMask:
    from segpipe_client import SegmentationClient
    from serving.remote_predictor import check_label, label_address, segment

    check_label(url, name, label, version)
    client = SegmentationClient(label_address(url, name, label), timeout=_SECONDS)
    return lambda file: segment(client, file).mask_HW
