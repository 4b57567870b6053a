"""Answers of the Open Inference Protocol, the same over REST and gRPC: tensors and metadata of a segmentation model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .answer import Answer, ModelBands, VersionState
from .v2_messages import Parameters

INPUT = "image"
"""Input of the signature `serving_default`."""

VERSION_PARAMETER = "model_version"
BANDS_PARAMETER, DEPTH_PARAMETER = "bands", "depth"
"""Parameters in the embedded server's metadata: the version that the address means; the `Bands` of the input."""


class Metadata(NamedTuple):
    """What the client needs of a model's metadata."""

    versions: tuple[str, ...]
    parameters: Parameters
    input_parameters: Parameters


def answer_of(outputs: Mapping[str, np.ndarray], version: str) -> Answer:
    """The answer in the outputs of one image; a version that is not a number is not reported.

    Raises:
        ValueError: they are not those of a segmentation model.
    """
    missing = {"mask_bytes", "class_fractions", "mean_confidence"} - set(outputs)
    if missing:
        raise ValueError(f"it has no output {', '.join(sorted(missing))}")
    (mask,) = outputs["mask_bytes"].ravel().tolist()
    (confidence,) = outputs["mean_confidence"].ravel().tolist()
    names = outputs["class_names"].ravel().tolist() if "class_names" in outputs else []
    return Answer(
        mask_png=mask,
        class_fractions_C=[float(share) for share in outputs["class_fractions"].ravel()],
        mean_confidence=float(confidence),
        class_names=tuple(name.decode() for name in names),
        version=int(version) if version.isascii() and version.isdigit() else None,
    )


def states_of(metadata: Metadata) -> list[VersionState]:
    """The states of the versions: the protocol names only those that answer.

    Raises:
        ValueError: a version is not a number.
    """
    return sorted((VersionState(int(version), "AVAILABLE", "") for version in metadata.versions), reverse=True)


def version_of(metadata: Metadata) -> int:
    """The version that the address means.

    Raises:
        ValueError: the server has several and does not say which, or it is not a number.
    """
    if VERSION_PARAMETER in metadata.parameters:
        return int(metadata.parameters[VERSION_PARAMETER])
    if len(metadata.versions) != 1:
        raise ValueError(f"it names {len(metadata.versions)} versions, and not the one that answers")
    return int(metadata.versions[0])


def bands_of(metadata: Metadata) -> ModelBands | None:
    """The bands that the model takes; `None` for 8-bit RGB.

    Raises:
        ValueError: the number is not a number.
    """
    given = metadata.input_parameters
    if BANDS_PARAMETER not in given:
        return None
    return ModelBands(int(given[BANDS_PARAMETER]), str(given.get(DEPTH_PARAMETER, "")))
