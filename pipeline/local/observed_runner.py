"""TFX's LocalDagRunner, run one step at a time so that the progress can be observed."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.portable import runtime_parameter_utils
from tfx.proto.orchestration import pipeline_pb2

from pipeline.dag.steps import step_of

WatchStep = Callable[[str], AbstractContextManager[None]]
"""Makes a context manager, entered while the node of the given name runs."""


class StepwiseRunner(LocalDagRunner):
    """LocalDagRunner with a hook around each node: it gives its base class one node after the other."""

    def __init__(self, watch_step: WatchStep, began: datetime.datetime | None = None) -> None:
        """The run's id is its begin in local time, by default now."""
        super().__init__()
        self._watch_step = watch_step
        self._began = began

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        """Runs all nodes, which are in topological order, under one run id."""
        run_id = (self._began or datetime.datetime.now()).isoformat()
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
        )
        for node in pipeline.nodes:
            single = pipeline_pb2.Pipeline()
            single.CopyFrom(pipeline)
            del single.nodes[:]
            single.nodes.append(node)
            if not step_of(node.pipeline_node.node_info.id).cached:
                single.nodes[0].pipeline_node.execution_options.caching_options.enable_cache = False
            with self._watch_step(node.pipeline_node.node_info.id):
                super().run_with_ir(single, run_options)


class RunRecord:
    """Reads the executions of a pipeline's nodes from ML Metadata."""

    def __init__(self, connection: metadata_store_pb2.ConnectionConfig, pipeline_name: str) -> None:
        self._connection = connection
        self._pipeline_name = pipeline_name

    def move_to(self, folder: Path) -> None:
        """Corrects the artifacts' locations after the workspace was moved or copied, or got another alias.

        An artifact is at `<step>/<output>/<execution>` in the folder of artifacts; those not found there are not
        changed.
        """
        with metadata.Metadata(self._connection) as handle:
            moved = []
            for artifact in handle.store.get_artifacts():
                here = folder.joinpath(*Path(artifact.uri).parts[-3:])
                if artifact.uri != str(here) and here.exists():
                    artifact.uri = str(here)
                    moved.append(artifact)
            if moved:
                handle.store.put_artifacts(moved)

    def was_cached(self, node: str) -> bool:
        """Whether the node's newest execution was cached."""
        with metadata.Metadata(self._connection) as handle:
            execution = self._newest(handle, node)
            return bool(execution.last_known_state == metadata_store_pb2.Execution.CACHED)

    def outputs(self, node: str) -> dict[str, str]:
        """Returns the outputs of the node's newest execution: name → URI."""
        with metadata.Metadata(self._connection) as handle:
            events = handle.store.get_events_by_execution_ids([self._newest(handle, node).id])
            written = {e.artifact_id: e for e in events if e.type == metadata_store_pb2.Event.OUTPUT}
            artifacts = handle.store.get_artifacts_by_id(list(written))
            return {written[artifact.id].path.steps[0].key: artifact.uri for artifact in artifacts}

    def _newest(self, handle: metadata.Metadata, node: str) -> metadata_store_pb2.Execution:
        context = handle.store.get_context_by_type_and_name("node", f"{self._pipeline_name}.{node}")
        return max(handle.store.get_executions_by_context(context.id), key=lambda execution: execution.id)
