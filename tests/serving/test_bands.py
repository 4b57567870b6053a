"""A model for images of five bands behind the embedded server: who packs the samples, and who cannot be asked."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from registry.store import Registry
from segpipe_client import Bands, SegmentationClient
from segpipe_client.answer import ModelBands
from tests.support.serving import BIRTH, MODEL, OPTIONS, Hosted, export_bands

BANDS = 5
IMAGE_HWC = np.random.default_rng(0).integers(0, 2**16, (24, 40, BANDS)).astype(np.uint16)
IMAGE_HWC[:, :20, -1] = 65000
IMAGE_HWC[:, 20:, -1] = 500


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    registry = Registry(str(tmp_path_factory.mktemp("bands") / "registry"))
    with tempfile.TemporaryDirectory() as scratch:
        export_bands(BANDS, scratch)
        registry.push(scratch, **BIRTH)
    registry.serve(1)
    with Hosted(registry) as hosted:
        yield hosted


def addresses(server: Hosted) -> list[str]:
    return [f"{start}/v1/models/{MODEL}" for start in (server.http, f"grpc://{server.grpc}")]


def v2_addresses(server: Hosted) -> list[str]:
    return [f"{start}/v2/models/{MODEL}" for start in (f"v2+{server.http}", f"v2+grpc://{server.grpc}")]


def predict(file: Path, url: str, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli.main", "predict", str(file), "--url", url, "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def write_tiff(file: Path, image_HWC: np.ndarray) -> Path:
    tifffile.imwrite(file, np.moveaxis(image_HWC, -1, 0), planarconfig="separate", photometric="minisblack")
    return file


def test_the_client_says_which_bands_the_model_takes(server: Hosted) -> None:
    for url in (*addresses(server), *v2_addresses(server)):
        with SegmentationClient(url) as client:
            assert client.model_bands() == ModelBands(BANDS, "uint16")


def test_predict_packs_a_tiff_as_the_model_takes_it(server: Hosted, tmp_path: Path) -> None:
    file = write_tiff(tmp_path / "field.tif", IMAGE_HWC)
    for number, url in enumerate((*addresses(server), v2_addresses(server)[0])):
        out = tmp_path / f"out {number}"
        done = predict(file, url, out)
        assert done.returncode == 0, done.stderr
        mask_HW = np.asarray(Image.open(out / "field.mask.png"))
        with SegmentationClient(url) as client:
            np.testing.assert_array_equal(mask_HW, client.predict(Bands(IMAGE_HWC)).mask_HW)
        np.testing.assert_array_equal(mask_HW[:, 4:16], 1)
        np.testing.assert_array_equal(mask_HW[:, 24:], 0)


def test_a_tiff_with_other_bands_is_refused_with_what_the_model_takes(server: Hosted, tmp_path: Path) -> None:
    done = predict(write_tiff(tmp_path / "four.tif", IMAGE_HWC[..., :4]), addresses(server)[0], tmp_path / "out")
    assert done.returncode == 1
    assert "the file has 4 bands" in done.stderr
    assert "the server's model takes 5 bands, uint16" in done.stderr


WHAT_TO_SEND = "send encoded images, or samples as segpipe_client.Bands packs them, to serving_default"


def test_a_call_with_raw_samples_over_rest_says_what_to_send(server: Hosted) -> None:
    body = {"signature_name": "serving_pixels", "instances": IMAGE_HWC[np.newaxis, :2, :2].tolist()}
    status, answer = server.post(f"/v1/models/{MODEL}:predict", json.dumps(body).encode())
    assert status == 501
    assert WHAT_TO_SEND in json.loads(answer)["error"]


def test_a_call_with_raw_samples_over_grpc_says_what_to_send(server: Hosted) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL, "serving_pixels"
    request.inputs["pixels"].CopyFrom(tf.make_tensor_proto(IMAGE_HWC[np.newaxis]))
    with grpc.insecure_channel(server.grpc, OPTIONS) as channel, pytest.raises(grpc.RpcError) as caught:
        PredictionServiceStub(channel).Predict(request, timeout=60)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert WHAT_TO_SEND in caught.value.details()
