"""Entry point of one of several Trainer pods."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from common import progress
from common.errors import UserError
from common.settings import Settings

INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
"""Set by Kubernetes in the pods of an Indexed Job."""

_PATIENCE = 1800.0


class WorkerSpec(Settings):
    """Arguments of a worker; all paths are on the workers' shared storage."""

    addresses: tuple[str, ...] = Field(description="host:port of each worker; the first is the chief.")
    train_files: tuple[str, ...]
    eval_files: tuple[str, ...]
    transform_output: str
    base_model: str | None
    serving_model_dir: str
    model_run_dir: str
    hyperparameters: dict[str, Any] | None
    custom_config: dict[str, Any] = Field(description="See `components.trainer.run.run_fn`.")


def run_worker(spec_path: str) -> None:
    """Trains together with the other workers; the chief exports.

    Args:
        spec_path: JSON of a `WorkerSpec`, on the shared storage.

    Raises:
        UserError: this is not a pod of an Indexed Job, or another worker does not appear.
    """
    index = os.environ.get(INDEX_VARIABLE, "")
    if not index.isdecimal():
        raise UserError(f"{INDEX_VARIABLE} is {index!r}: a worker runs as a pod of an Indexed Job")
    from tfx.components.trainer.fn_args_utils import FnArgs
    from tfx.dsl.io import fileio

    with fileio.open(spec_path) as file:
        spec = WorkerSpec.model_validate_json(file.read())
    await_names(spec.addresses)
    os.environ["TF_CONFIG"] = tf_config(spec.addresses, int(index))
    from components.trainer.run import run_fn

    run_fn(
        FnArgs(
            train_files=list(spec.train_files),
            eval_files=list(spec.eval_files),
            transform_graph_path=spec.transform_output,
            transform_output=spec.transform_output,
            base_model=spec.base_model,
            serving_model_dir=spec.serving_model_dir,
            model_run_dir=spec.model_run_dir,
            hyperparameters=spec.hyperparameters,
            custom_config=spec.custom_config,
        )
    )


def tf_config(addresses: Sequence[str], index: int) -> str:
    """Returns TF_CONFIG for `tf.distribute`: all are workers, and the first is the chief."""
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}})


def await_names(addresses: Sequence[str], patience: float = _PATIENCE, pause: float = 2.0) -> None:
    """Waits until every worker's DNS name resolves: TensorFlow treats an unresolvable one as failed.

    Raises:
        UserError: a name does not resolve after `patience` seconds.
    """
    began = time.monotonic()
    for index, address in enumerate(addresses):
        host = address.rpartition(":")[0]
        while not _resolves(host):
            if time.monotonic() - began > patience:
                raise UserError(f"worker {index} ({host}) has not appeared in {patience / 60:.0f} minutes")
            progress.update(f"waiting for worker {index}")
            time.sleep(pause)


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
