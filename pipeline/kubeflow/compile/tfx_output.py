"""PipelineSpec that TFX's Kubeflow runner compiles, for Vertex AI, from the steps of `pipeline/dag/pipeline.py`."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from pipeline.config.run_config import RunConfig
from pipeline.dag.run_state import RunState
from pipeline.kubeflow.names import COMMAND


def tfx_spec(config: RunConfig) -> dict[str, Any]:
    """Compiles the pipeline with TFX's KubeflowV2DagRunner, schema version 2.1.

    The run-time state is not known yet; placeholders take its place.

    Raises:
        UserError: the curated schema does not exist.
    """
    from tfx.orchestration import pipeline
    from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

    from pipeline.beam.arguments import BEAM_ARGUMENTS
    from pipeline.dag.pipeline import create_steps

    steps = create_steps(config, RunState(**placeholders()))
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            default_image=config.kubeflow.image,
            default_commands=[COMMAND, "run"],
            use_pipeline_spec_2_1=True,
        )
    )
    job = runner.run(
        pipeline.Pipeline(
            pipeline_name=config.name,
            pipeline_root=config.kubeflow.pipeline_root,
            components=steps,
            enable_cache=True,
            beam_pipeline_args=list(BEAM_ARGUMENTS),
        ),
        write_out=False,
    )
    return json.loads(json.dumps(job["pipelineSpec"]))


def placeholders() -> dict[str, str]:
    """Returns a placeholder for each field of `RunState`; the compiled result must contain none."""
    return {field.name: f"<run state:{field.name}>" for field in dataclasses.fields(RunState)}
