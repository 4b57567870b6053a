"""The serving check: starts a server with the model, sends images, and compares the responses."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from common import progress
from common.process_usage import PEAK, RESIDENT, megabytes
from components.serving_check.client import INVALID_ARGUMENT, UNAVAILABLE, Answer, predict_grpc, predict_rest
from components.serving_check.config import ServingCheckConfig
from components.serving_check.hostile import hostile_inputs
from components.serving_check.reference import Reference
from components.serving_check.result import ServingCheckResult
from components.serving_check.sample_images import SampleImage
from components.serving_check.server import Place, ServerProcess, failed
from registry.store import Registry
from segpipe_client import SegmentationError

_PATIENCE_SECONDS = 2  # A connection closes shortly before its process exits.

Ask = Callable[[int, str, bytes], Answer]


class Trial(NamedTuple):
    """The model to check, and the images to send."""

    model_dir: str
    model_name: str
    images: Sequence[SampleImage]
    max_pixels: int
    warmup_requests: int


class _Answers(NamedTuple):
    """Responses for each image."""

    grpc: list[Answer]
    rest: list[Answer]


def check_served(
    trial: Trial, make_reference: Callable[[], Reference], config: ServingCheckConfig
) -> ServingCheckResult:
    """Serves the model and checks its responses.

    Args:
        trial: The model, and the images to send.
        make_reference: Loads the reference for the responses; called in a thread while the server starts.
        config: The limits to check.

    Raises:
        UserError: the model is not loaded, differs from the training graph, exceeds a budget, or does not
            reject a hostile input.
    """
    with tempfile.TemporaryDirectory(prefix="segpipe-serving-check-") as scratch:
        registry = Registry(str(Path(scratch) / "registry"))
        with (
            ThreadPoolExecutor(1) as beside,
            ServerProcess(registry.uri, config.engine, Path(scratch), config.start_seconds) as server,
        ):
            expecting = beside.submit(_expect, make_reference, trial.images)
            version = _register(registry, trial)
            place = server.wait_until_it_answers()
            without_model = megabytes(server.pid, RESIDENT)
            registry.serve(version)
            server.wait_until_loaded(place, trial.model_name)
            progress.update(f"serving check: {place.engine} has loaded the model")
            reference, expected = expecting.result()

            answers = _ask_all(server, place, trial)
            hostile = hostile_inputs(trial.max_pixels)
            _check_refusals(server, place, trial, hostile)
            _check_unharmed(server, place, trial, answers.grpc[0])
            grown = megabytes(server.pid, PEAK) - without_model

    agreements = [
        reference.agreement(image, wanted, answer.mask_HW)
        for image, wanted, answer in zip(trial.images, expected, answers.grpc, strict=True)
    ]
    result = ServingCheckResult(
        engine=place.engine,
        pictures=len(trial.images),
        agreement=min(agreements),
        milliseconds=_median_milliseconds(answers.grpc),
        rest_milliseconds=_median_milliseconds(answers.rest),
        megabytes=grown,
        refused=tuple(hostile),
        warmup_requests=trial.warmup_requests,
    )
    _check_pixels(trial.images, agreements, config)
    _check_same_over_rest(trial.images, answers)
    _check_budgets(result, config)
    return result


def _expect(
    make_reference: Callable[[], Reference], images: Sequence[SampleImage]
) -> tuple[Reference, list[np.ndarray]]:
    reference = make_reference()
    return reference, [reference.expect(image) for image in images]


def _register(registry: Registry, trial: Trial) -> int:
    """Makes a registry for this server, which loads only versions of a registry."""
    manifest, _ = registry.push(
        trial.model_dir,
        model_name=trial.model_name,
        data_fingerprint="",
        baseline_version=None,
        metrics={},
        config={},
        software={},
    )
    return manifest.version


def _ask_all(server: ServerProcess, place: Place, trial: Trial) -> _Answers:
    return _Answers(
        [_ask(server, predict_grpc, place.grpc, trial, image) for image in trial.images],
        [_ask(server, predict_rest, place.http, trial, image) for image in trial.images],
    )


def _ask(server: ServerProcess, ask: Ask, port: int, trial: Trial, image: SampleImage) -> Answer:
    try:
        return ask(port, trial.model_name, image.encoded)
    except SegmentationError as error:
        server.check_alive(_PATIENCE_SECONDS if error.code == UNAVAILABLE else 0)
        raise failed(f"the server returns no mask for the image {image.id} ({error.code}: {error})") from None


def _check_refusals(server: ServerProcess, place: Place, trial: Trial, hostile: dict[str, bytes]) -> None:
    for name, encoded in hostile.items():
        for protocol, ask, port in (("gRPC", predict_grpc, place.grpc), ("REST", predict_rest, place.http)):
            try:
                ask(port, trial.model_name, encoded)
            except SegmentationError as error:
                server.check_alive(_PATIENCE_SECONDS if error.code == UNAVAILABLE else 0)
                if error.code != INVALID_ARGUMENT:
                    told = f"{error.code}: {error}"
                    raise failed(
                        f"over {protocol}, {name} must be rejected as {INVALID_ARGUMENT}, but gets {told}"
                    ) from None
            else:
                raise failed(f"over {protocol}, {name} must be rejected, but gets a mask")


def _check_unharmed(server: ServerProcess, place: Place, trial: Trial, before: Answer) -> None:
    after = _ask(server, predict_grpc, place.grpc, trial, trial.images[0])
    if not np.array_equal(after.mask_HW, before.mask_HW):
        raise failed(f"after the hostile inputs the image {trial.images[0].id} gets a different mask")


def _check_pixels(images: Sequence[SampleImage], agreements: Sequence[float], config: ServingCheckConfig) -> None:
    wrong = [index for index, agreement in enumerate(agreements) if agreement < config.min_agreement]
    if wrong:
        worst = min(wrong, key=agreements.__getitem__)
        raise failed(
            f"the masks of {len(wrong)} of {len(images)} images differ from the training graph's; for "
            f"{images[worst].id} {agreements[worst]:.2%} of the pixels agree, but serving_check.min_agreement asks "
            f"for {config.min_agreement:.2%}"
        )


def _check_same_over_rest(images: Sequence[SampleImage], answers: _Answers) -> None:
    for image, grpc, rest in zip(images, answers.grpc, answers.rest, strict=True):
        if grpc.mask != rest.mask or not np.allclose(grpc.class_fractions_C, rest.class_fractions_C, atol=1e-4):
            raise failed(f"gRPC and REST give different masks for the image {image.id}")


def _check_budgets(result: ServingCheckResult, config: ServingCheckConfig) -> None:
    if result.milliseconds > config.max_milliseconds:
        raise failed(
            f"the median image takes {result.milliseconds:.0f} ms, but serving_check.max_milliseconds allows "
            f"{config.max_milliseconds:g}: take a smaller model, or allow more"
        )
    if result.megabytes > config.max_megabytes:
        raise failed(
            f"the server's memory grows by {result.megabytes:.0f} MB, but serving_check.max_megabytes allows "
            f"{config.max_megabytes:g}: take a smaller model or image, or allow more"
        )


def _median_milliseconds(answers: Sequence[Answer]) -> float:
    return 1000 * statistics.median(answer.seconds for answer in answers)
