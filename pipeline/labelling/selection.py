"""Selects images to label: reads a source once with the model, then chooses among the most uncertain images."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from common.errors import UserError
from common.plurals import counted
from components.batch_predictor.loaded_model import Answer, LoadedModel, Refusal
from pipeline.labelling.candidates import Candidate, CandidatePool
from pipeline.labelling.choice import CANDIDATES, Chosen, choose
from pipeline.labelling.descriptor import describe
from pipeline.labelling.disagreement import disagreement
from pipeline.labelling.probability_model import Floats, ProbabilityModel, TooLargeError, decode
from pipeline.labelling.source_images import LoadedImage, Rejections, SourceImages
from pipeline.labelling.uncertainty import UncertaintySum


class Selection(NamedTuple):
    """The chosen images, and what became of the others."""

    chosen: Sequence[Chosen]
    judged: int
    duplicates: int
    """Images that were left out since a similar one is more uncertain."""
    rejections: Rejections


class PredictedImage(NamedTuple):
    """A chosen image with the model's mask."""

    rank: int
    path: str
    encoded: bytes
    mask_HW: npt.NDArray[np.uint8]
    mean_confidence: float
    other_HW: npt.NDArray[np.uint8] | None
    """The mask of the other model; `None` if there is none, or if it refuses the image."""


class Selector:
    """Judges images with a model, and with another one if there is one."""

    def __init__(self, model: ProbabilityModel, other: LoadedModel | None, num_classes: int) -> None:
        self._model = model
        self._other = other
        self._num_classes = num_classes

    def select(self, images: SourceImages, number: int, on_progress: Callable[[str], None]) -> Selection:
        """Chooses `number` images of a source, which is read once; memory does not grow with its images.

        Raises:
            UserError: the model takes none of the images.
        """
        pool, rejections = CandidatePool(CANDIDATES * number), Rejections()
        for batch in images.batches(rejections):
            for candidate in self._judged(batch, rejections):
                pool.add(candidate)
            on_progress(f"{counted(pool.seen, 'image')} judged")
        if not pool.seen:
            raise UserError(
                f"the model takes none of {counted(rejections.number, 'image')}; the first: {rejections.shown[0]}"
            )
        return Selection(choose(pool.ordered(), number, pool.seen), pool.seen, pool.duplicates, rejections)

    def masks(self, images: SourceImages, chosen: Sequence[Chosen]) -> Iterator[PredictedImage]:
        """Yields the chosen images with the models' masks, in the order of the source.

        Raises:
            UserError: the model no longer takes an image.
        """
        ranks: Mapping[str, int] = {image.path: image.rank for image in chosen}
        met: set[str] = set()
        for batch in images.batches(Rejections(), ranks):
            fresh = list({image.path: image for image in batch if image.path not in met}.values())
            met.update(image.path for image in fresh)
            for image, answer, other in self._answers(fresh):
                if isinstance(answer, Refusal):
                    raise UserError(f"{image.path} has changed since it was chosen: {answer.reason}; run it again")
                masks = read_mask(answer), answer.mean_confidence, read_mask(other) if other else None
                yield PredictedImage(ranks[image.path], image.path, image.encoded.data, *masks)

    def _answers(self, images: Sequence[LoadedImage]) -> Iterator[tuple[LoadedImage, Answer | Refusal, Answer | None]]:
        """Yields what the model answers to each image, and the answer of the other one if it has any."""
        if not images:
            return
        encoded = [image.encoded.data for image in images]
        others = self._other.predict(encoded) if self._other else [None] * len(images)
        for image, answer, other in zip(images, self._model.predict(encoded), others, strict=True):
            yield image, answer, None if isinstance(other, Refusal) else other

    def _judged(self, batch: Sequence[LoadedImage], rejections: Rejections) -> Iterator[Candidate]:
        accepted: list[tuple[LoadedImage, Floats]] = []
        for image, found in zip(batch, self._model.whole_maps([image.encoded.data for image in batch]), strict=True):
            if isinstance(found, Refusal):
                rejections.add(image.path, found.reason)
            else:
                accepted.append((image, found))
        differences = self._disagreements([image for image, _ in accepted])
        for (image, map_HWC), difference in zip(accepted, differences, strict=True):
            try:
                yield self._candidate(image, map_HWC, difference)
            except TooLargeError as error:
                rejections.add(image.path, str(error))

    def _candidate(self, image: LoadedImage, map_HWC: Floats, difference: float | None) -> Candidate:
        image_HWC = decode(image.encoded.data)
        total = UncertaintySum()
        for part_HWC in self._model.parts(image_HWC, map_HWC):
            total.add(part_HWC)
        uncertainty = total.mean()
        measures = [*uncertainty, *([] if difference is None else [difference])]
        descriptor = describe(self._model.without_padding(map_HWC, image_HWC), image_HWC)
        return Candidate(image.path, float(np.mean(measures)), uncertainty, difference, descriptor)

    def _disagreements(self, images: Sequence[LoadedImage]) -> list[float | None]:
        if self._other is None or not images:
            return [None] * len(images)
        encoded = [image.encoded.data for image in images]
        answers = zip(self._model.predict(encoded), self._other.predict(encoded), strict=True)
        return [self._disagreement(one, other) for one, other in answers]

    def _disagreement(self, one: Answer | Refusal, other: Answer | Refusal) -> float:
        """Returns the disagreement; a model that refuses what the other takes disagrees entirely."""
        if isinstance(one, Refusal) or isinstance(other, Refusal):
            return 1.0
        return disagreement(read_mask(one), read_mask(other), self._num_classes)


def read_mask(answer: Answer) -> npt.NDArray[np.uint8]:
    """Returns the class indices of a predicted mask."""
    return np.asarray(Image.open(io.BytesIO(answer.mask)), np.uint8)
