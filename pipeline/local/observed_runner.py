"""TFX's LocalDagRunner, a step at a time, so that somebody can watch."""

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

WatchStep = Callable[[str], AbstractContextManager[None]]
"""Is given a node's name and entered while the node runs."""


class StepwiseRunner(LocalDagRunner):
    """Runs a pipeline as LocalDagRunner does, which has no hooks, by giving it one node after the other."""

    def __init__(self, watch_step: WatchStep) -> None:
        super().__init__()
        self._watch_step = watch_step

    def run_with_ir(self, pipeline: pipeline_pb2.Pipeline, run_options: pipeline_pb2.RunOptions | None = None) -> None:
        """Runs all nodes, which stand in topological order, under one run id."""
        run_id = datetime.datetime.now().isoformat()
        runtime_parameter_utils.substitute_runtime_parameter(
            pipeline, {constants.PIPELINE_RUN_ID_PARAMETER_NAME: run_id}
        )
        for node in pipeline.nodes:
            single = pipeline_pb2.Pipeline()
            single.CopyFrom(pipeline)
            del single.nodes[:]
            single.nodes.append(node)
            with self._watch_step(node.pipeline_node.node_info.id):
                super().run_with_ir(single, run_options)


class RunRecord:
    """What ML Metadata knows of a pipeline's nodes."""

    def __init__(self, connection: metadata_store_pb2.ConnectionConfig, pipeline_name: str) -> None:
        self._connection = connection
        self._pipeline_name = pipeline_name

    def move_to(self, folder: Path) -> None:
        """Corrects where artifacts lie after the workspace has been moved or copied, or got another alias.

        An artifact is `<step>/<output>/<execution>` below the folder of all; what is not found there is left alone.
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
        """Whether the node's newest execution took its outputs from an earlier one."""
        with metadata.Metadata(self._connection) as handle:
            execution = self._newest(handle, node)
            return bool(execution.last_known_state == metadata_store_pb2.Execution.CACHED)

    def outputs(self, node: str) -> dict[str, str]:
        """Where the node's newest execution has its outputs: name → URI."""
        with metadata.Metadata(self._connection) as handle:
            events = handle.store.get_events_by_execution_ids([self._newest(handle, node).id])
            written = {e.artifact_id: e for e in events if e.type == metadata_store_pb2.Event.OUTPUT}
            artifacts = handle.store.get_artifacts_by_id(list(written))
            return {written[artifact.id].path.steps[0].key: artifact.uri for artifact in artifacts}

    def _newest(self, handle: metadata.Metadata, node: str) -> metadata_store_pb2.Execution:
        context = handle.store.get_context_by_type_and_name("node", f"{self._pipeline_name}.{node}")
        return max(handle.store.get_executions_by_context(context.id), key=lambda execution: execution.id)
