"""The models of a cross-validation's folds, found by ML Metadata: no later step reads them."""

from __future__ import annotations

import re
from pathlib import Path

from common.plain_path import plain_path
from components import component_keys as keys
from pipeline.local.metadata_file import artifact_folder, open_metadata

_RESULT = "segpipe.CrossValidationResult"
"""The artifact's type; importing `components.artifacts` would import TFX."""
_INPUT = re.compile(rf"{keys.MODEL}_(\d+)")
"""Name of the input with the model of a fold, see `components.fold_inputs`."""


def fold_models(workspace: Path, cross_validation: Path) -> list[Path]:
    """Returns the folders of the `Model` artifacts of folds 1 … that a cross-validation has evaluated.

    Args:
        workspace: The workspace of the run.
        cross_validation: Folder of the artifact with its result.
    """
    from ml_metadata.proto import metadata_store_pb2

    store, top = open_metadata(workspace), plain_path(workspace)
    results = [
        artifact.id
        for artifact in store.get_artifacts_by_type(_RESULT)
        if top / artifact_folder(artifact.uri) == cross_validation
    ]
    made_by = [
        event.execution_id
        for event in store.get_events_by_artifact_ids(results)
        if event.type == metadata_store_pb2.Event.OUTPUT
    ]
    folds = {
        event.artifact_id: int(found[1])
        for event in store.get_events_by_execution_ids([max(made_by)])
        if (found := _INPUT.fullmatch(event.path.steps[0].key))
    }
    models = sorted((folds[artifact.id], artifact.uri) for artifact in store.get_artifacts_by_id(list(folds)))
    return [top / artifact_folder(uri) for _, uri in models]
