"""Inputs of a step that takes an artifact of each fold: one input for each, since a channel has one producer."""

from __future__ import annotations

from collections.abc import Sequence

from tfx import types
from tfx.types.component_spec import ChannelParameter

from common.records import MAX_FOLDS


def fold_inputs(key: str, kind: type[types.Artifact]) -> dict[str, ChannelParameter]:
    """Returns the declaration of optional inputs `<key>_1` …, for as many folds as there may be."""
    return {fold_key(key, fold): ChannelParameter(type=kind, optional=True) for fold in range(1, MAX_FOLDS + 1)}


def by_fold(key: str, channels: Sequence[types.BaseChannel]) -> dict[str, types.BaseChannel]:
    """Returns the channels of folds 1 … by the names of their inputs."""
    return {fold_key(key, fold): channel for fold, channel in enumerate(channels, 1)}


def artifacts_of_folds(key: str, input_dict: dict[str, list[types.Artifact]]) -> list[types.Artifact]:
    """Returns the artifacts of folds 1 … that a step was given."""
    given = (input_dict.get(fold_key(key, fold)) for fold in range(1, MAX_FOLDS + 1))
    return [artifacts[0] for artifacts in given if artifacts]


def fold_key(key: str, fold: int) -> str:
    """Returns the name of a fold's input."""
    return f"{key}_{fold}"
