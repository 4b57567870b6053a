"""Loads the baseline model for the comparison, if there is one that can be compared."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tensorflow.python.saved_model import loader_impl
from tfx.dsl.io import fileio
from tfx.types import artifact
from tfx.utils import path_utils

from common.errors import UserError
from common.signatures import CONFUSION, EVALUATE, EVALUATE_MASKS, EXTRA_ASSETS, SERVING_DEFAULT
from components.baseline.fetching import NO_BASELINE_FILE
from components.evaluator.results import Measured

_NOT_LOADED = f"{EXTRA_ASSETS}{os.sep}"  # Where the serving check puts warm-up requests.
VERSION_PROPERTY = "version"

Relation = Literal["comparable", "identical", "other classes", "other sizes", "missing outputs"]


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A blessed model from the registry, and how it relates to the candidate."""

    model_folder: str
    version: int | None
    relation: Relation

    @property
    def note(self) -> str | None:
        """Explains why no comparison was made."""
        name = "the baseline" if self.version is None else f"version {self.version}"
        if self.relation == "identical":
            return f"The model is identical to {name}."
        if self.relation == "other classes":
            return f"Not compared with {name}, which has different classes: only absolute thresholds were checked."
        if self.relation == "other sizes":
            return (
                f"Not compared with {name}, which was exported by an older segpipe and counts pixels at another size "
                "than the images' own: only absolute thresholds were checked."
            )
        if self.relation == "missing outputs":
            return (
                f"Not compared with {name}, which was exported by an older segpipe and does not give what "
                "evaluator.metrics are counted from: only absolute thresholds were checked."
            )
        return None


def find(
    baseline_model: artifact.Artifact, candidate_folder: str, num_classes: int, needed: Sequence[str] = ()
) -> Baseline | None:
    """Returns the baseline in the artifact; `None` if there is only the marker file.

    Args:
        baseline_model: the artifact.
        candidate_folder: the SavedModel that it is compared with.
        num_classes: number of the configured classes.
        needed: outputs that its signature `evaluate_masks` must have.
    """
    if fileio.exists(os.path.join(baseline_model.uri, NO_BASELINE_FILE)):
        return None
    version = baseline_model.get_string_custom_property(VERSION_PROPERTY)
    folder = path_utils.serving_model_path(baseline_model.uri)
    relation = _relation(folder, candidate_folder, num_classes)
    if relation == "comparable" and missing_outputs(folder, needed):
        relation = "missing outputs"
    return Baseline(folder, int(version) if version else None, relation)


def counts_alike(baseline: Measured, candidate: Measured) -> bool:
    """Returns whether both models counted the truth at the same sizes, as exports of different releases may not.

    A model's `evaluate` decides the size, and no metadata names it; but at one size the pixels of each class in the
    truth are the same, whatever the models predict.
    """
    return baseline.overall.truth_pixels == candidate.overall.truth_pixels


def _relation(folder: str, candidate_folder: str, num_classes: int) -> Relation:
    if same_files(folder, candidate_folder):
        return "identical"
    return "comparable" if counts_classes(folder, num_classes) else "other classes"


def counts_classes(model_folder: str, num_classes: int) -> bool:
    """Returns whether the model's `evaluate` signature counts that many classes, if its shape is known.

    Raises:
        UserError: the model has no such signature.
    """
    signature = _signatures(model_folder).get(EVALUATE)
    if signature is None or CONFUSION not in signature.outputs:
        raise UserError(f"the model in {model_folder} has no signature {EVALUATE!r}: export it with segpipe.")
    shape = signature.outputs[CONFUSION].tensor_shape
    return not shape.dim or shape.dim[-1].size in (-1, num_classes**2)


def missing_outputs(model_folder: str, needed: Sequence[str]) -> tuple[str, ...]:
    """Returns which of the needed outputs the model's signature `evaluate_masks` does not have."""
    signature = _signatures(model_folder).get(EVALUATE_MASKS)
    given = signature.outputs if signature is not None else ()
    return tuple(name for name in needed if name not in given)


def is_served(model_folder: str) -> bool:
    """Returns whether the model answers encoded images."""
    return SERVING_DEFAULT in _signatures(model_folder)


def _signatures(model_folder: str) -> Mapping[str, Any]:
    return loader_impl.parse_saved_model(model_folder).meta_graphs[0].signature_def


def same_files(folder: str, other: str) -> bool:
    """Returns whether two SavedModels have the same files with the same bytes, ignoring `assets.extra`."""
    paths = _relative_paths(folder)
    return paths == _relative_paths(other) and all(
        _read(os.path.join(folder, path)) == _read(os.path.join(other, path)) for path in paths
    )


def _relative_paths(folder: str) -> list[str]:
    return sorted(
        path
        for parent, _, names in fileio.walk(folder)
        for path in (os.path.relpath(os.path.join(parent, name), folder) for name in names)
        if not path.startswith(_NOT_LOADED)
    )


def _read(path: str) -> bytes:
    with fileio.open(path, "rb") as file:
        return file.read()
