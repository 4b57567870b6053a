"""Finds the pairs of a run whose masks its model contradicts most."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from common.band_image import for_request
from common.plurals import counted
from common.record_features import first_bytes, image_id
from common.records import FOLD, IMAGE_ENCODED, MASK_ENCODED
from components.batch_predictor.loaded_model import Refusal
from components.transform.image_ops import resize_nearest
from pipeline.comparison.records_diff import has_records, serialized
from pipeline.labelling.evidence import Evidence, Mask
from pipeline.labelling.judges import Judge, JudgedRun
from pipeline.labelling.probability_model import Floats, ProbabilityModel, TooLargeError, decode
from pipeline.labelling.source_images import Rejections
from pipeline.labelling.suspicion import Pair, Suspicion, judge_mask

_BATCH = 8


class Suspect(NamedTuple):
    """A suspicious pair, with the predicted mask as a PNG."""

    suspicion: Suspicion
    predicted: bytes


class Suspects(NamedTuple):
    """The most suspicious pairs, first the one with the lowest score, and what became of the others."""

    found: Sequence[Suspect]
    judged: int
    void: int
    """Pairs without a labelled pixel."""
    rejections: Rejections


class LabelledRecord(NamedTuple):
    """An image with its mask, as a record holds them."""

    pair: Pair
    image: bytes
    """As an app sends it."""
    mask: bytes


def find_suspects(run: JudgedRun, number: int, confident: float, on_progress: Callable[[str], None]) -> Suspects:
    """Judges all pairs of a run, and returns the `number` most suspicious ones; memory does not grow with the pairs."""
    kept: list[Suspect] = []
    judged = void = 0
    rejections = Rejections()
    for judge in run.judges:
        on_progress("loading the model")
        model = ProbabilityModel(judge.model, run.config)
        for record, evidence in _evidence(model, run, judge, rejections):
            suspicion = judge_mask(record.pair, evidence, run.classes, confident)
            if suspicion is None:
                void += 1
                continue
            judged += 1
            if len(kept) < number or suspicion.order < kept[-1].suspicion.order:
                kept.append(Suspect(suspicion, _png(evidence.class_HW)))
                kept = sorted(kept, key=lambda suspect: suspect.suspicion.order)[:number]
            on_progress(f"{counted(judged, 'pair')} judged")
    return Suspects(kept, judged, void, rejections)


def labelled_records(run: JudgedRun, judge: Judge) -> Iterator[LabelledRecord]:
    """Yields the records that a model judges."""
    for split, seen in judge.seen.items():
        if not has_records(run.examples, split):
            continue
        for record in serialized(run.examples, split):
            features = tf.train.Example.FromString(record).features.feature
            if judge.fold is not None and list(features[FOLD].int64_list.value) != [judge.fold]:
                continue
            image, mask = (first_bytes(features, name) for name in (IMAGE_ENCODED, MASK_ENCODED))
            yield LabelledRecord(Pair(image_id(features), split, seen), for_request(image), mask)


def read_mask(encoded: bytes) -> Mask:
    """Returns the class indices [H, W] of a record's mask."""
    return np.asarray(Image.open(io.BytesIO(encoded)), np.uint8)


def _evidence(
    model: ProbabilityModel, run: JudgedRun, judge: Judge, rejections: Rejections
) -> Iterator[tuple[LabelledRecord, Evidence]]:
    records = labelled_records(run, judge)
    while batch := list(islice(records, _BATCH)):
        for record, found in zip(batch, model.whole_maps([record.image for record in batch]), strict=True):
            if isinstance(found, Refusal):
                rejections.add(record.pair.id, found.reason)
                continue
            try:
                evidence = _evidence_of(model, record, found)
            except TooLargeError as error:
                rejections.add(record.pair.id, str(error))
                continue
            yield record, evidence


def _evidence_of(model: ProbabilityModel, record: LabelledRecord, map_HWC: Floats) -> Evidence:
    """Returns the evidence at the image's own size, or, if tiles are cut from a scaled image, at the scaled size."""
    label_HW, image_HWC = read_mask(record.mask), decode(record.image)
    size_2 = model.working_size((label_HW.shape[0], label_HW.shape[1]))
    if size_2 != label_HW.shape:
        label_HW = resize_nearest(tf.constant(label_HW), tf.constant(size_2)).numpy()
    evidence = Evidence(label_HW)
    for index, window, probability_HW in model.planes(image_HWC, map_HWC):
        evidence.add(index, window, probability_HW)
    return evidence


def _png(mask_HW: Mask) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(mask_HW).save(buffer, "PNG")
    return buffer.getvalue()
