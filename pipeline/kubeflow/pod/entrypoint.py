"""Entry point of every step's container: `segpipe-step run | survey | notify | worker | beam-workers | beam-boot`.

TensorFlow and TFX are imported after the arguments are validated, and only by `run`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from common.compatibility import import_tensorflow
from common.errors import UserError, user_error_in
from common.machine_faults import describe, machine_fault_in
from common.start_up import collect_as_usual, collect_seldom
from common.tensorflow_environment import set_tensorflow_environment
from pipeline.kubeflow.json_types import Json
from pipeline.kubeflow.names import KEEP_URIS
from pipeline.kubeflow.pod.launcher import ArtifactPaths, artifact_uris
from pipeline.kubeflow.pod.pod_log import give_reason, log_to_pod, say

TERMINATED = 128 + signal.SIGTERM


class Terminated(BaseException):
    """The pod was asked to terminate; not an `Exception`, so that handlers of errors do not catch it."""


def main() -> NoReturn:
    """Runs the console script.

    All results are written when a step returns, so the process exits at once: the shutdown of the interpreter, with
    TensorFlow's and Beam's threads still alive, has crashed ("pure virtual method called") after success.
    """
    status = run_command(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def run_command(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit status; if it is not 0, the last line of the log has the reason."""
    if arguments and arguments[0].startswith("--id="):  # As an engine starts a container, or a process.
        arguments = ["beam-boot", *arguments]
    options, more = _parser().parse_known_args(arguments)
    log_to_pod()
    collect_seldom()
    set_tensorflow_environment()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        options.run(options, more)
    except Terminated:
        say("stopped: the pod was asked to end")
        return TERMINATED
    except Exception as error:  # noqa: BLE001  # Any error ends the log with one sentence.
        give_reason(_reason(error))
        return 1
    return 0


def _terminate(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Terminated


def _reason(error: Exception) -> str:
    user_error = user_error_in(error)
    if user_error is not None:
        return str(user_error)
    traceback.print_exc()
    fault = machine_fault_in(error)
    if fault is not None:
        return describe(fault, [Path()], remedy="submit the run again")
    first_line = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first_line} (a bug or a cluster fault; the traceback is above)"


def _parser() -> argparse.ArgumentParser:
    # The option names of `run` are TFX's; unknown options are passed to Beam.
    parser = argparse.ArgumentParser("segpipe-step", description="One step of the pipeline in a pod.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="a TFX executor", allow_abbrev=False)
    run.add_argument("--executor_class_path", required=True)
    run.add_argument("--json_serialized_invocation_args", type=_json, required=True)
    run.add_argument("--json_serialized_inputs_spec_args", type=_json, default={})
    run.add_argument("--keep-uris", action="store_true", default=os.environ.get(KEEP_URIS) == "1")
    run.set_defaults(run=_run_executor)

    survey = commands.add_parser("survey", help="captures the run-time state", allow_abbrev=False)
    survey.add_argument("--executor_input", type=_json, required=True)
    survey.add_argument("--config", type=_json, required=True)
    survey.set_defaults(run=_survey)

    notify = commands.add_parser("notify", help="notifies the webhook of how the run ended", allow_abbrev=False)
    notify.add_argument("--executor_input", type=_json, required=True)
    notify.set_defaults(run=_notify)

    worker = commands.add_parser("worker", help="one of several Trainer pods", allow_abbrev=False, add_help=False)
    worker.set_defaults(run=_worker)

    pool = commands.add_parser("beam-workers", help="a pool of Beam workers beside an engine", allow_abbrev=False)
    pool.add_argument("--host", default="127.0.0.1", help="address to listen on; whoever reaches it can run code here")
    pool.add_argument("--port", type=int, default=50000)
    pool.set_defaults(run=_beam_workers)

    boot = commands.add_parser("beam-boot", help="a Beam worker that an engine asks for", allow_abbrev=False)
    boot.set_defaults(run=_beam_boot)
    return parser


def _json(text: str) -> Json:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return value


def _run_executor(options: argparse.Namespace, beam_arguments: Sequence[str]) -> None:
    executor_input = options.json_serialized_invocation_args
    log_to_pod(ArtifactPaths(executor_input, options.keep_uris).named_by_uri)
    import_tensorflow()
    from pipeline.kubeflow.pod.beam_step import beam_step
    from pipeline.kubeflow.pod.tfx_step import run_executor

    collect_as_usual()
    inputs_spec = options.json_serialized_inputs_spec_args
    with beam_step(executor_input, beam_arguments, options.keep_uris) as step:
        log_to_pod(step.paths.named_by_uri)
        run_executor(options.executor_class_path, executor_input, inputs_spec, step.paths, step.arguments)
        if beam_arguments:
            from pipeline.beam.leftovers import remove_leftovers

            remove_leftovers(step.paths.to_local(uri) for uri in artifact_uris(executor_input, "outputs"))


def _survey(options: argparse.Namespace, more: Sequence[str]) -> None:
    _refuse(more)
    from pipeline.kubeflow.pod.survey import survey, write_outputs

    parameters: dict[str, Any] = options.executor_input.get("inputs", {}).get("parameterValues", {})
    write_outputs(options.executor_input, survey(options.config, parameters))


def _notify(options: argparse.Namespace, more: Sequence[str]) -> None:
    _refuse(more)
    from pipeline.kubeflow.pod import notify

    notify.main_from(options.executor_input.get("inputs", {}).get("parameterValues", {}))


def _worker(options: argparse.Namespace, more: Sequence[str]) -> None:
    del options
    from pipeline.kubeflow.workers import training as workers

    workers.main(more)


def _beam_workers(options: argparse.Namespace, more: Sequence[str]) -> None:
    _refuse(more)
    from pipeline.beam.worker_pool import serve_pool
    from pipeline.beam.worker_process import import_ahead

    import_ahead()
    with serve_pool(options.host, options.port, logs_to_engine=True) as address:
        say(f"Beam workers: {address}")
        signal.pause()


def _beam_boot(options: argparse.Namespace, more: Sequence[str]) -> None:
    del options
    import_tensorflow()
    from pipeline.beam.worker_boot import boot

    boot(more)


def _refuse(more: Sequence[str]) -> None:
    if more:
        raise UserError(f"unknown argument {more[0]!r} of segpipe-step; is the image older than the compiled pipeline?")


if __name__ == "__main__":
    main()
