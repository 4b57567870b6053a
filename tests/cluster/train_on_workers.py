"""In a step's pod: makes records, and lets workers train on them as the Trainer's step does."""

from __future__ import annotations

import sys
from pathlib import Path

from common.errors import UserError
from pipeline.kubeflow.config import Volume, Workers
from pipeline.kubeflow.workers.cluster import Cluster
from pipeline.kubeflow.workers.training import train_on_workers
from tests.support.worker_training import arguments_for_two

SHARED = "/mnt/segpipe"


def main(epochs: str) -> None:
    """Trains; what stops it is the last line, as in a step."""
    own = Path("/tmp/own")
    settings = {"epochs": int(epochs), "learning_rate": 0.001, "patience": 100}
    try:
        train_on_workers(
            arguments_for_two(own, 64, f"{SHARED}/resume", **settings),
            Workers(volume=Volume(claim="segpipe", mount=SHARED)),
            Cluster.around_this_pod(),
            poll=1,
        )
    except UserError as error:
        sys.exit(f"error: {error}")
    print(sorted(path.name for path in (own / "model" / "Format-Serving").iterdir()))


if __name__ == "__main__":
    main(*sys.argv[1:])
