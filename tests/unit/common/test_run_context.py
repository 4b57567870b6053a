"""The run that a step is a part of."""

from __future__ import annotations

from common.run_context import RunContext, StepUsage, current_run, run_context


def test_a_step_sees_the_steps_before_it_and_nothing_outside_a_run() -> None:
    assert current_run() is None
    with run_context(RunContext(("segpipe", "run", "a.yaml"))) as context:
        context.steps.append(StepUsage(component="Trainer", name="Train", seconds=3.0, megabytes=812.5))
        seen = current_run()
        assert seen is not None
        assert seen.command == ("segpipe", "run", "a.yaml")
        assert [step.component for step in seen.steps] == ["Trainer"]
    assert current_run() is None
