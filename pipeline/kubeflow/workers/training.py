"""Distributed training: the step starts n worker pods with shared storage, and waits for them."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from common import progress
from common.errors import UserError
from components import component_keys as keys
from components.trainer.config import TrainerConfig
from pipeline.config.run_config import RunConfig
from pipeline.dag.steps import trainers_of
from pipeline.kubeflow.config import StepOptions, Workers
from pipeline.kubeflow.json_types import Json
from pipeline.kubeflow.names import COMMAND
from pipeline.kubeflow.workers.cluster import Cluster
from pipeline.kubeflow.workers.manifests import Training, worker_job, worker_service
from pipeline.kubeflow.workers.watch import watch_workers
from pipeline.kubeflow.workers.worker import WorkerSpec, run_worker

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

WORKERS_VARIABLE = "SEGPIPE_WORKERS"
"""Environment variable of the steps that train with `kubeflow.workers` as JSON."""

_OWN_RUN_FN = "components.trainer.run.run_fn"
_HANDING_OVER = "pipeline.kubeflow.workers.training.run_fn"
_GONE_SECONDS = 20.0  # Of a terminated pod's 30 seconds.


def with_workers(config: RunConfig) -> RunConfig:
    """Returns the configuration with what the steps that train need to start workers, if there are several.

    Raises:
        UserError: no shared storage is configured for several workers.
    """
    if config.trainer.workers == 1:
        return config
    meeting = config.kubeflow.workers
    if meeting is None:
        raise UserError(
            f"trainer.workers is {config.trainer.workers}, so the pods need storage that they share: give "
            "kubeflow.workers a volume (ReadWriteMany) or a bucket"
        )
    trainings = [step.task for step in trainers_of(config.data.split.folds)]
    changed = {task: _with_meeting(config.kubeflow.options_of(task), meeting) for task in trainings}
    steps = {**config.kubeflow.steps, **changed}
    return config.model_copy(update={"kubeflow": config.kubeflow.model_copy(update={"steps": steps})})


def _with_meeting(options: StepOptions, meeting: Workers) -> StepOptions:
    changes: Json = {"env": {**(options.env or {}), WORKERS_VARIABLE: meeting.model_dump_json(exclude_none=True)}}
    if meeting.volume and meeting.volume not in (options.volumes or ()):
        changes["volumes"] = (*(options.volumes or ()), meeting.volume)
    return options.model_copy(update=changes)


def hand_over(parameters: Mapping[str, Any]) -> Json:
    """Returns the parameters of a TFX step; `run_fn` is replaced if the training has several workers."""
    changed = dict(parameters)
    if changed.get("run_fn") == _OWN_RUN_FN:
        settings = json.loads(changed.get("custom_config") or "{}")
        if TrainerConfig.model_validate_json(settings[keys.TRAINER]).workers > 1:
            changed["run_fn"] = _HANDING_OVER
    return changed


def run_fn(fn_args: FnArgs) -> None:
    """Replaces `components.trainer.run.run_fn`: runs it on several pods.

    Raises:
        UserError: the step may not create the pods, or one of them failed; the text is the pod's.
    """
    meeting = Workers.model_validate_json(os.environ.get(WORKERS_VARIABLE, "{}"))
    train_on_workers(fn_args, meeting, Cluster.around_this_pod())


def train_on_workers(fn_args: FnArgs, meeting: Workers, cluster: Cluster, poll: float = 3.0) -> None:
    """Copies the inputs to the shared storage, runs the workers, and copies the chief's outputs back.

    In any case the Job, the Service and the folder on the shared storage are removed at the end.

    Args:
        fn_args: TFX's arguments of the training.
        meeting: Shared storage and resources of the workers.
        cluster: API of the namespace that they run in.
        poll: Seconds between two polls of their state.
    """
    from tfx.utils import io_utils

    workers = TrainerConfig.model_validate_json(fn_args.custom_config[keys.TRAINER]).workers
    name = f"segpipe-train-{_key(fn_args)}"
    folder = f"{_root(meeting)}/{name}"
    command = [COMMAND, "worker", "--spec", f"{folder}/spec.json"]
    training = Training(name, workers, command, meeting.service_account, meeting.accelerator)
    pod = cluster.own_pod()
    _remove(cluster, training)  # A killed attempt may have left workers, which would write into the folder.
    with _folder(folder):
        progress.update("copying the records to the workers' shared storage")
        spec = _bring(fn_args, folder, training.addresses)
        with _running(cluster, training, pod):
            watch_workers(cluster, training, poll)
        io_utils.copy_dir(spec.serving_model_dir, fn_args.serving_model_dir)
        io_utils.copy_dir(spec.model_run_dir, fn_args.model_run_dir)
    progress.report(f"trained on {workers} workers")


def main(arguments: Sequence[str]) -> None:
    """`segpipe-step worker`."""
    parser = argparse.ArgumentParser(f"{COMMAND} worker", description="One of several Trainer pods.")
    parser.add_argument("--spec", required=True, help="JSON of a WorkerSpec, on the storage that the workers share")
    run_worker(parser.parse_args(arguments).spec)


def _root(meeting: Workers) -> str:
    if meeting.bucket:
        return meeting.bucket.rstrip("/")
    assert meeting.volume is not None, "Workers has one of the two"
    if not os.path.isdir(meeting.volume.mount):  # noqa: PTH112
        raise UserError(f"kubeflow.workers.volume is not mounted at {meeting.volume.mount} in this step")
    return meeting.volume.mount


def _key(fn_args: FnArgs) -> str:
    """Returns a key that is equal for all attempts of one step and unique to it, since outputs have unique paths."""
    outputs = [fn_args.model_run_dir, fn_args.serving_model_dir]
    identity = [*outputs, fn_args.train_files, fn_args.hyperparameters, fn_args.custom_config]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _bring(fn_args: FnArgs, folder: str, addresses: Sequence[str]) -> WorkerSpec:
    from tfx.dsl.io import fileio
    from tfx.utils import io_utils

    io_utils.copy_dir(fn_args.transform_output, f"{folder}/transform")
    base_model = None
    if fn_args.base_model and fileio.exists(fn_args.base_model):
        base_model = f"{folder}/base"
        io_utils.copy_dir(fn_args.base_model, base_model)
    fileio.makedirs(f"{folder}/run")
    spec = WorkerSpec(
        addresses=tuple(addresses),
        train_files=_copied(fn_args.train_files, f"{folder}/train"),
        eval_files=_copied(fn_args.eval_files, f"{folder}/eval"),
        transform_output=f"{folder}/transform",
        base_model=base_model,
        serving_model_dir=f"{folder}/model",
        model_run_dir=f"{folder}/run",
        hyperparameters=fn_args.hyperparameters,
        custom_config={**fn_args.custom_config, keys.RESUME_ROOT: _resume_root(fn_args, folder)},
    )
    io_utils.write_string_file(f"{folder}/spec.json", spec.model_dump_json())
    return spec


def _copied(patterns: Sequence[str], target: str) -> tuple[str, ...]:
    """Copies the files that match each pattern; returns the patterns of the copies."""
    from tfx.dsl.io import fileio

    copies = []
    for number, pattern in enumerate(patterns):
        folder = f"{target}/{number}"
        fileio.makedirs(folder)
        for path in fileio.glob(pattern):
            fileio.copy(path, f"{folder}/{os.path.basename(path)}")
        copies.append(f"{folder}/*")
    return tuple(copies)


def _resume_root(fn_args: FnArgs, folder: str) -> str:
    """Returns a checkpoint directory that all workers can read; a folder in the step's pod is not one."""
    given = str(fn_args.custom_config[keys.RESUME_ROOT])
    return f"{folder}/resume" if given.startswith(tempfile.gettempdir()) else given


@contextlib.contextmanager
def _folder(folder: str) -> Iterator[None]:
    """Creates an empty folder on the shared storage, and removes it at the end."""
    from tfx.dsl.io import fileio
    from tfx.utils import io_utils

    io_utils.delete_dir(folder)
    fileio.makedirs(folder)
    try:
        yield
    finally:
        try:
            io_utils.delete_dir(folder)
        except Exception as error:  # noqa: BLE001  # An earlier error must not be hidden by this one.
            progress.report(f"the folder {folder} could not be removed: {error}")


@contextlib.contextmanager
def _running(cluster: Cluster, training: Training, pod: Json) -> Iterator[None]:
    """Runs the workers while the context is open."""
    try:
        cluster.create_service(worker_service(pod, training))
        cluster.create_job(worker_job(pod, training))
        progress.report(f"{training.workers} workers: job {training.name}")
        yield
    finally:
        try:
            _remove(cluster, training)
        except UserError as error:
            progress.report(f"the workers could not be removed, and will end by themselves: {error}")


def _remove(cluster: Cluster, training: Training) -> None:
    """Removes existing workers, and waits until they have stopped writing."""
    cluster.delete_job(training.name)
    cluster.delete_service(training.name)
    began = time.monotonic()
    while cluster.pods(training.selector) and time.monotonic() - began < _GONE_SECONDS:
        time.sleep(0.5)
