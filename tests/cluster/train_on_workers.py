"""In a step's pod: makes records, and lets workers train on them as the Trainer's step does."""

from __future__ import annotations

import sys
from pathlib import Path

from tfx.components.trainer.fn_args_utils import FnArgs

from components.errors import UserError
from components.trainer.config import TrainerConfig
from pipeline.kubeflow.cluster import Cluster
from pipeline.kubeflow.config import Volume, Workers
from pipeline.kubeflow.workers import train_on_workers
from tests.support.transformed import CLASS_NAMES, TINY, make_pair, run_transform

SHARED = "/mnt/segpipe"


def main(epochs: str) -> None:
    """Trains; what stops it is the last line, as in a step."""
    own = Path("/tmp/own")
    (own / "records").mkdir(parents=True)
    transformed = run_transform([make_pair(index) for index in range(64)], TINY, own / "records")
    settings = {
        "model": {"type": "unet", "width": 4, "depth": 1},
        "workers": 2,
        "batch_size": 4,
        "epochs": int(epochs),
        "learning_rate": 0.001,
        "patience": 100,
    }
    try:
        train_on_workers(
            FnArgs(
                train_files=[f"{own}/records/train-*"],
                eval_files=[f"{own}/records/train-*"],
                transform_output=str(transformed.graph),
                serving_model_dir=str(own / "model" / "Format-Serving"),
                model_run_dir=str(own / "run"),
                custom_config={
                    "trainer": TrainerConfig.model_validate(settings).model_dump_json(),
                    "transform": TINY.model_dump_json(),
                    "classes": list(CLASS_NAMES),
                    "seed": 1,
                    "class_weight": None,
                    "resume_root": f"{SHARED}/resume",
                },
            ),
            Workers(volume=Volume(claim="segpipe", mount=SHARED)),
            Cluster.around_this_pod(),
            poll=1,
        )
    except UserError as error:
        sys.exit(f"error: {error}")
    print(sorted(path.name for path in (own / "model" / "Format-Serving").iterdir()))


if __name__ == "__main__":
    main(*sys.argv[1:])
