"""Puts a comparison together: reads records, runs both models on the same images, draws the most different ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import tensorflow as tf

from common.band_image import for_request
from common.errors import UserError
from common.plurals import counted
from common.record_features import first_bytes, image_id
from common.records import IMAGE_ENCODED, MASK_ENCODED
from common.signatures import MASK_BYTES, SERVING_DEFAULT
from components.band_picture import viewable
from pipeline.comparison.paired import Difference, JudgedImage, differences, judge, most_different
from pipeline.comparison.pictures import ComparedImage, compared_image
from pipeline.comparison.recorded import RecordedFigure, recorded_figures
from pipeline.comparison.records_diff import DataChange, data_change, read_pairs, serialized, trained_on
from pipeline.comparison.settings_diff import Setting, changed_settings
from pipeline.comparison.side import OVERALL, TEST, RunResults, Side


@dataclass(frozen=True)
class Comparison:
    """All that a comparison shows."""

    a: Side
    b: Side
    settings: Sequence[Setting]
    data: DataChange | None
    """None if a side is a version, whose records are not at hand."""
    recorded: Sequence[RecordedFigure]
    """Figures of two versions when each was pushed; none if a side is a run."""
    metrics: Mapping[str, Sequence[Difference]]
    """Of the whole, `OVERALL`, and of each slice, on the same images; none if there are no images."""
    judged: int
    """Images that both models were judged on."""
    available: int
    """Images of the split."""
    known: int
    """Images of the split that side a was trained on, or stopped by; they flatter it."""
    images: Sequence[ComparedImage]

    @property
    def is_one_model(self) -> bool:
        """Whether both sides are the same model."""
        return self.a.model == self.b.model

    @property
    def other_pipelines(self) -> str:
        """One sentence if the sides are of different pipelines; else empty."""
        if self.a.pipeline == self.b.pipeline:
            return ""
        return f"A is of the pipeline {self.a.pipeline}, B of the pipeline {self.b.pipeline}"


def compare(a: Side, b: Side, images: int, shown: int, report: Callable[[str], None]) -> Comparison:
    """Compares two sides on the test images of side b, or of side a if those of b are not at hand.

    Of two versions whose images are not at hand, only what the registry holds is compared.

    Args:
        a: The side that is compared with.
        b: The side that is judged.
        images: Most images that both models are run on.
        shown: Most images that are drawn.
        report: Told what is being done.

    Raises:
        UserError: the classes differ, or there is no test image.
    """
    if a.classes != b.classes:
        raise UserError(
            f"the classes differ, so metrics cannot be compared: {', '.join(a.classes)} in {a.label}, "
            f"{', '.join(b.classes)} in {b.label}"
        )
    source = b.run or a.run
    if source is None:
        return _of_registry(a, b)
    report("reading the records")
    pairs = [read_pairs(side.run.examples) if side.run else None for side in (a, b)]
    ours = pairs[1] if b.run else pairs[0]
    assert ours is not None  # As `source` is.
    report("loading both models")
    models = [tf.saved_model.load(side.model) for side in (a, b)]
    report(f"running both models on {counted(images, 'image')} at most")
    records = islice(serialized(source.examples, TEST), images)
    judged = list(judge(models[0], models[1], records, len(a.classes)))
    if not judged:
        raise UserError(f"the split {TEST} of {(b if b.run else a).label} has no image")
    report("drawing the images that differ most")
    return Comparison(
        a=a,
        b=b,
        settings=changed_settings(a.config, b.config),
        data=data_change(pairs[0], pairs[1]) if pairs[0] is not None and pairs[1] is not None else None,
        recorded=recorded_figures(a, b),
        metrics=differences(judged, a.classes),
        judged=len(judged),
        available=sum(pair.split == TEST for pair in ours.values()),
        known=trained_on(pairs[0], ours, TEST) if pairs[0] is not None else 0,
        images=_draw(models, source, most_different(judged, shown)),
    )


def _of_registry(a: Side, b: Side) -> Comparison:
    """Compares what the registry holds of two versions."""
    return Comparison(
        a=a,
        b=b,
        settings=changed_settings(a.config, b.config),
        data=None,
        recorded=recorded_figures(a, b),
        metrics={OVERALL: ()},
        judged=0,
        available=0,
        known=0,
        images=(),
    )


def _draw(models: Sequence[Any], source: RunResults, chosen: Iterable[JudgedImage]) -> list[ComparedImage]:
    wanted = {image.id: image for image in chosen}
    drawn = {}
    for record in serialized(source.examples, TEST):
        features = tf.train.Example.FromString(record).features.feature
        identity = image_id(features)
        if identity in wanted:
            image, mask = (first_bytes(features, name) for name in (IMAGE_ENCODED, MASK_ENCODED))
            request = tf.constant([for_request(image)])
            masks = [model.signatures[SERVING_DEFAULT](image=request)[MASK_BYTES].numpy()[0] for model in models]
            drawn[identity] = compared_image(wanted[identity], viewable(image), mask, *masks)
    return [drawn[name] for name in wanted if name in drawn]
