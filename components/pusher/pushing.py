"""Pushes an evaluated model to the registry."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.evaluator.results import Evaluation
from components.example_gen.quarantine import IngestionSummary
from components.pusher.card.facts import make_card
from components.pusher.card.forms import card_forms
from components.pusher.result import PushResult
from registry.canary_policy import CanaryPolicy
from registry.exports import read_exports
from registry.store import Registry


@dataclass(frozen=True)
class Candidate:
    """A model with the content of its manifest and its card."""

    model_dir: str
    model_name: str
    data: IngestionSummary
    config: Mapping[str, Any]
    evaluation: Evaluation
    reference: str | None = None
    """Reference distribution of its answers, as JSON; `None` if the evaluation has none."""
    canary_policy: CanaryPolicy | None = None
    """How it is tried as a canary before it is served; `None`: it is served at once."""


def push_if_blessed(registry: Registry, candidate: Candidate, served_at_start: int | None) -> PushResult:
    """Pushes a blessed model as a version and serves it, or makes it the canary; does nothing for other models.

    Repeating the call is safe (idempotent):

    - An interrupted push is completed.
    - The version's card is written again, with the texts that the configuration has now, and so is its reference
      distribution.
    - A model that is already there does not become a second version.
    - A version that was rolled back is not served again: no run undoes a rollback, even if it produces the
      same model and finds it better.
    - A model replaces only the version that was served when the run started, because it was compared with that one.
      If another one is served by now (another run was faster, or someone rolled back), the model
      becomes a version but is served only after a run has compared it with that one.
    - With a canary policy, "served" above means "made the canary", unless no version is served yet.

    Args:
        registry: Where to push to.
        candidate: The model.
        served_at_start: The version that was served when the run started.

    Raises:
        UserError: see `Registry.push`.
    """
    verdict = candidate.evaluation.verdict
    if not verdict.blessed:
        note = f"not blessed ({refusal(candidate.evaluation)}): {_stays(registry)}"
        return PushResult(pushed=False, version=None, served=registry.served(), registry=registry.uri, note=note)
    manifest, created = registry.push(
        candidate.model_dir,
        model_name=candidate.model_name,
        data_fingerprint=candidate.data.data_fingerprint,
        baseline_version=verdict.baseline_version,
        metrics=overall_metrics(candidate.evaluation),
        config=candidate.config,
        software=software_versions(),
    )
    exports = read_exports(registry, manifest.version)
    card = make_card(manifest, candidate.config, candidate.data, candidate.evaluation, exports)
    registry.write_card(manifest.version, card_forms(card))
    if candidate.reference is not None:
        registry.write_reference(manifest.version, candidate.reference)
    note = _release(registry, manifest.version, created, served_at_start, candidate.canary_policy)
    record = registry.serving_record()
    return PushResult(
        pushed=created,
        version=manifest.version,
        served=record.served,
        canary=record.canary.version if record.canary else None,
        registry=registry.uri,
        note=note,
    )


def _release(
    registry: Registry, version: int, created: bool, served_at_start: int | None, policy: CanaryPolicy | None
) -> str:
    """Serves `version` or makes it the canary, if allowed, and returns a sentence that says what was done."""
    done = f"version {version} pushed" if created else f"version {version} holds this model already"
    if registry.served() == version:
        return f"{done} and is served"
    if version in registry.withdrawn():
        return f"{done} but was rolled back: {_stays(registry)}"
    if policy is not None and served_at_start is not None:
        return _start_canary(registry, version, done, served_at_start, policy)
    if registry.serve_in_place_of(served_at_start, version):
        if policy is not None:
            return f"{done} and served at once: no version was served that a canary could be compared with"
        return f"{done} and served" if created else f"{done}, now served"
    return _not_compared(registry, done, served_at_start)


def _start_canary(registry: Registry, version: int, done: str, served_at_start: int, policy: CanaryPolicy) -> str:
    before = registry.canary()
    if registry.start_canary_beside(served_at_start, version, policy):
        share = "shadows" if policy.mode == "shadow" else "answers"
        note = (
            f"{done} and is the canary: it {share} {policy.percent} % of the requests beside version {served_at_start}"
        )
        if before is None or before.version == version:
            return note
        return f"{note}; version {before.version}, the canary until now, was not decided"
    canary = registry.canary()
    if registry.served() == served_at_start and canary is not None:
        return (
            f"{done} but is not the canary, because a person has started version {canary.version} as canary: "
            "promote or roll back that one, and run again"
        )
    return _not_compared(registry, done, served_at_start)


def _not_compared(registry: Registry, done: str, served_at_start: int | None) -> str:
    before = "nothing" if served_at_start is None else f"version {served_at_start}"
    return (
        f"{done} but not served, because {before} was served when it was evaluated: {_stays(registry)}; "
        "run again to compare it with what is served now"
    )


def refusal(evaluation: Evaluation) -> str:
    """Returns why a model is not blessed: the first failed check, or the verdict's note."""
    failed = [check.detail.rstrip(".") for check in evaluation.verdict.checks if not check.passed]
    more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    return f"{failed[0]}{more}" if failed else evaluation.verdict.note


def overall_metrics(evaluation: Evaluation) -> dict[str, float]:
    """Returns the candidate's existing metrics on the whole split, under the names that thresholds use."""
    overall = evaluation.candidate.overall
    estimates = {"mean_iou": overall.mean_iou, "mean_dice": overall.mean_dice, "pixel_accuracy": overall.pixel_accuracy}
    estimates |= {f"iou/{name}": estimate for name, estimate in overall.iou.items()}
    estimates |= {f"dice/{name}": estimate for name, estimate in overall.dice.items()}
    estimates |= overall.further
    return {name: estimate.value for name, estimate in estimates.items() if estimate.value is not None}


def software_versions() -> dict[str, str]:
    """Returns the versions of the packages that made the model, except those that are not installed."""
    versions = {}
    for package in ("segpipe", "tfx", "tensorflow"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _stays(registry: Registry) -> str:
    served = registry.served()
    return "nothing is served" if served is None else f"version {served} stays"
