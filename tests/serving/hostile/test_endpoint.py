"""Hostile files sent to the served model: each gets a mask or a sentence, and the process goes on as before."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import grpc
import numpy as np
import pytest
from PIL import Image
from tensorflow_serving.apis.predict_pb2 import PredictResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from common.compatibility import skip_autograph_for_keras
from tests.support.data_set import encode, photo
from tests.support.hostile_pictures import Hostile, hostile_pictures, sound
from tests.support.memory import peak_memory
from tests.support.serving import OPTIONS, Served, classes_in, make_registry, predict_request

MEGABYTE = 1 << 20
SIDE = 500
MAX_PIXELS = SIDE**2
SECONDS = 10
AT_A_TIME = 8
SERVED_KINDS = ("png", "jpeg", "gif", "bmp")


class Answer(NamedTuple):
    """What a client got."""

    name: str
    response: PredictResponse | None
    error: grpc.RpcError | None
    seconds: float


@pytest.fixture(scope="module", params=["resize", pytest.param("tile", marks=pytest.mark.slow)])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A process that serves a model of each mode, and has answered honest pictures at the limit."""
    skip_autograph_for_keras()
    folder = tmp_path_factory.mktemp("hostile") / "registry"
    registry = make_registry(folder, labels=(1,), mode=request.param, max_pixels=MAX_PIXELS)
    with Served(registry.uri) as served:
        large = [encode(photo(SIDE, SIDE), kind) for kind in ("PNG", "JPEG", "GIF", "BMP")]
        answers = ask(served, [Hostile("honest", data) for data in large * 2], seconds=120)
        assert [answer.error for answer in answers] == [None] * len(answers)
        yield served


def ask(server: Served, files: list[Hostile], seconds: float = SECONDS) -> list[Answer]:
    """Sends each file in a request of its own, several at a time."""
    with grpc.insecure_channel(server.grpc, OPTIONS) as channel, ThreadPoolExecutor(AT_A_TIME) as pool:
        predict = PredictionServiceStub(channel).Predict

        def ask_one(file: Hostile) -> Answer:
            began = time.monotonic()
            try:
                response = predict(predict_request(file.data), timeout=seconds)
                return Answer(file.name, response, None, time.monotonic() - began)
            except grpc.RpcError as error:
                return Answer(file.name, None, error, time.monotonic() - began)

        return list(pool.map(ask_one, files))


def check_answer(answer: Answer) -> None:
    if answer.response is not None:
        outputs = answer.response.outputs
        with Image.open(io.BytesIO(outputs["mask_bytes"].string_val[0])) as mask:
            assert 0 < mask.width * mask.height <= MAX_PIXELS, answer.name
        assert np.isclose(sum(outputs["class_fractions"].float_val), 1, atol=1e-4), answer.name
        return
    assert answer.error is not None
    code, text = answer.error.code(), answer.error.details()
    assert code is grpc.StatusCode.INVALID_ARGUMENT, (answer.name, code, text)
    assert 15 < len(text) < 400, (answer.name, text)
    assert "\n" not in text and "{{" not in text and "Traceback" not in text, (answer.name, text)


def check(server: Served, files: list[Hostile]) -> None:
    before, peak = sound_masks(server), peak_memory(server.process.pid)
    answers = ask(server, files)
    for answer in answers:
        check_answer(answer)
    assert statistics.median(answer.seconds for answer in answers) < 0.5
    assert server.process.poll() is None
    assert sound_masks(server) == before
    assert peak_memory(server.process.pid) - peak < 200 * MEGABYTE, "bombs take what honest pictures at the limit take"
    assert "_bug" not in server.log and "Traceback" not in server.log
    assert any(answer.response for answer in answers) and any(answer.error for answer in answers)


def sound_masks(server: Served) -> dict[str, bytes]:
    """The masks of all sound files of kinds that are served."""
    kinds = {name: data for name, data in sound().items() if name.startswith(SERVED_KINDS) and plain(name)}
    masks = {name: server.predict(data).outputs["mask_bytes"].string_val[0] for name, data in kinds.items()}
    assert all(classes_in(mask) == {1} for mask in masks.values())
    return masks


def plain(name: str) -> bool:
    return name not in ("bmp-palette", "bmp-alpha")


def test_every_hostile_file_gets_a_mask_or_a_sentence(server: Served) -> None:
    check(server, hostile_pictures())


def test_over_rest_the_sentence_is_the_same(server: Served) -> None:
    files = hostile_pictures()[::40]
    for file, answer in zip(files, ask(server, files), strict=True):
        status, document = server.predict_json(file.data)
        if answer.error is None:
            assert status == 200, (file.name, document)
        else:
            assert (status, document["error"]) == (400, answer.error.details()), file.name


@pytest.mark.slow
def test_so_do_many_more_of_them(server: Served) -> None:
    check(server, hostile_pictures(seed=1, rounds=6))
