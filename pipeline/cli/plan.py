"""`segpipe plan`: proposes settings that suit the data, as a patch of the configuration."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.status import Status

from common.errors import UserError
from pipeline.cli.console import quiet_streams
from pipeline.cli.output_file import check_writable, write_file
from pipeline.config.run_config import RunConfig
from pipeline.dag.run_date import on_date
from pipeline.plan.fingerprint import Fingerprint, ImageFacts
from pipeline.plan.patch_text import patch_text
from pipeline.plan.propose import propose

if TYPE_CHECKING:  # It imports TensorFlow.
    from components.example_gen.check import IngestedExample

_TRAIN = "train"


def write_plan(config: RunConfig, given: Path, out: Path, gigabytes: float, date: datetime.date | None = None) -> None:
    """Reads the data as `segpipe check` does, and writes the proposed settings with their reasons to `out`.

    Args:
        config: The configuration.
        given: Its file, for the words of the output.
        out: The YAML file.
        gigabytes: Memory for a training step.
        date: Date of the run.

    Raises:
        UserError: the data cannot be read, no pair of it is for training, or the file cannot be written.
    """
    check_writable(out)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    with quiet_streams(config.workspace_dir / "logs" / f"plan-{stamp}.log") as console:
        with console.status("listing pairs") as status:
            fingerprint = take_fingerprint(on_date(config, date), status)
        proposals = propose(fingerprint, config, gigabytes)
        heading = (
            f"Proposed for {given} from {len(fingerprint.images)} training images: segpipe run {given} --set @{out}"
        )
        text = patch_text(proposals, heading)
        write_file(out, text)
        console.print(text, markup=False, soft_wrap=True)
        console.print(
            f"{out} is written; check it with: segpipe check {given} --set @{out}", markup=False, soft_wrap=True
        )


def take_fingerprint(config: RunConfig, status: Status) -> Fingerprint:
    """Returns the fingerprint of the training data, read in one pass.

    Raises:
        UserError: the data cannot be read, or no pair of it is for training.
    """
    from components.example_gen.check import survey

    images: list[ImageFacts] = []

    def add(used: IngestedExample) -> None:
        if used.split == _TRAIN:
            images.append(_facts(used, len(config.data.classes)))

    summary, quarantined = survey(
        config.data, config.seed, lambda done, total: status.update(f"read {done} of {total} pairs"), add
    )
    if not images:
        raise UserError(
            f"no pair is for training, and {len(quarantined)} are quarantined, so there is nothing to plan from: see "
            "segpipe check"
        )
    return Fingerprint(tuple(images), summary.classes, summary.class_pixels[_TRAIN])


def _facts(used: IngestedExample, num_classes: int) -> ImageFacts:
    from components.example_gen.object_sizes import object_widths
    from components.example_gen.recorded_mask import mask_in

    mask_HW = mask_in(used.record)
    height, width = mask_HW.shape
    measures = used.measures
    widths = object_widths(mask_HW, num_classes)
    return ImageFacts(height, width, measures.brightness, measures.contrast, used.slices, widths)
