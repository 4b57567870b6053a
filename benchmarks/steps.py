"""The pipeline's own steps, run for a benchmark that needs what they leave behind."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator

from pipeline.config.run_config import RunConfig

Around = Callable[[str], contextlib.AbstractContextManager[object]]
"""Of a step, by its name: a context in which it runs."""


def run_until(
    config: RunConfig, last: str, around: Around = contextlib.nullcontext
) -> tuple[float, dict[str, dict[str, str]]]:
    """Seconds of the step `last`, and where it and the steps before it left their outputs (step → output → folder)."""
    from rich.console import Console
    from tfx.orchestration import metadata, pipeline

    from common.beam_inspection import remember_inspections
    from common.start_up import collect_as_usual
    from pipeline.beam.arguments import BEAM_ARGUMENTS
    from pipeline.cli.console import StepWatcher
    from pipeline.dag.pipeline import create_steps
    from pipeline.dag.run_state import capture_run_state
    from pipeline.dag.steps import display_name
    from pipeline.local.observed_runner import RunRecord, StepwiseRunner

    collect_as_usual()  # As `segpipe run` does.
    remember_inspections()
    connection = metadata.sqlite_metadata_connection_config(str(config.workspace_dir / "metadata.sqlite"))
    record = RunRecord(connection, config.name)
    watcher = StepWatcher(Console(file=io.StringIO()), display_name)
    steps = create_steps(config, capture_run_state(config))
    wanted = steps[: [step.id for step in steps].index(last) + 1]

    @contextlib.contextmanager
    def watched(node: str) -> Iterator[None]:
        with around(node), watcher.step(node, record.was_cached):
            yield

    StepwiseRunner(watched).run(
        pipeline.Pipeline(
            config.name,
            str(config.workspace_dir / "artifacts"),
            metadata_connection_config=connection,
            components=wanted,
            beam_pipeline_args=list(BEAM_ARGUMENTS),
        )
    )
    return watcher.steps[-1].seconds, {step.id: record.outputs(step.id) for step in wanted}
