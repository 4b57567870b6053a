"""Executions, as ML Metadata has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from components import component_keys as keys
from pipeline.dashboard.executions import ExecutionReader
from pipeline.dashboard.workspaces import Workspace
from pipeline.local.metadata_file import artifact_folder

RUN = "2026-11-27T16:34:55.046215"


@pytest.mark.parametrize(
    ("kind", "fold", "component"),
    [
        ("tfx.components.trainer.component.Trainer", None, "Trainer"),
        ("components.trainer.component.FoldTrainer", 2, "TrainerFold2"),
        ("components.trainer.component.FoldTrainer", 99, "FoldTrainer"),
        ("someone.Elses", None, "Elses"),
    ],
)
def test_the_step_follows_from_the_class_and_the_fold(
    tmp_path: Path, kind: str, fold: int | None, component: str
) -> None:
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(tmp_path / "metadata.sqlite")
    connection.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
    store = MetadataStore(connection)
    run = store.put_context_type(metadata_store_pb2.ContextType(name="pipeline_run"))
    made = metadata_store_pb2.Execution(type_id=store.put_execution_type(metadata_store_pb2.ExecutionType(name=kind)))
    if fold is not None:
        made.custom_properties[keys.FOLD].int_value = fold
    store.put_execution(made, [], [metadata_store_pb2.Context(type_id=run, name=RUN)])
    faults: list[str] = []
    [found] = ExecutionReader(Workspace("one", tmp_path)).runs(faults)
    assert faults == []
    assert found.key == "20261127-163455-046215"
    assert [execution.component for execution in found.executions] == [component]


@pytest.mark.parametrize(
    ("uri", "folder"),
    [
        ("/elsewhere/run/artifacts/Trainer/model/7", "artifacts/Trainer/model/7"),
        ("/a [1]/artifacts/Trainer/model/7/", "artifacts/Trainer/model/7"),
        ("7", "artifacts/7"),
    ],
)
def test_an_artifact_is_where_its_step_wrote_it(uri: str, folder: str) -> None:
    assert artifact_folder(uri) == folder
