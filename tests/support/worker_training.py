"""A training for two workers, as TFX gives it to the step; all of it on the disk of the step's own pod."""

from __future__ import annotations

from pathlib import Path

from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer.config import TrainerConfig
from tests.support.transformed import CLASS_NAMES, TINY, make_pair, run_transform


def arguments_for_two(own: Path, pairs: int, resume_root: str, **settings: object) -> FnArgs:
    """Makes records of `pairs` pairs below `own`; `settings` are further keys of `trainer`."""
    (own / "records").mkdir(parents=True)
    transformed = run_transform([make_pair(index) for index in range(pairs)], TINY, own / "records")
    trainer = TrainerConfig.model_validate(
        {"model": {"type": "unet", "width": 4, "depth": 1}, "workers": 2, "batch_size": 4, **settings}
    )
    return FnArgs(
        train_files=[f"{own}/records/train-*"],
        eval_files=[f"{own}/records/train-*"],
        transform_output=str(transformed.graph),
        serving_model_dir=str(own / "model" / "Format-Serving"),
        model_run_dir=str(own / "run"),
        custom_config={
            "trainer": trainer.model_dump_json(),
            "transform": TINY.model_dump_json(),
            "classes": list(CLASS_NAMES),
            "seed": 1,
            "class_weight": None,
            "resume_root": resume_root,
        },
    )
