"""All protocols of a real server process give the same answer for photographs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.datasets

from registry.store import Registry
from segpipe_client import Segmentation, SegmentationClient
from tests.support.serving import BIRTH, CLASSES, MODEL, TILE, Served, export_network

pytestmark = pytest.mark.slow

PHOTOGRAPHS = [Path(sklearn.datasets.__file__).parent / "images" / name for name in ("china.jpg", "flower.jpg")]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of a network that tells colours apart, so that its masks have many regions."""
    import tf_keras as keras

    keras.utils.set_random_seed(0)
    image = keras.Input([TILE, TILE, 3])
    network = keras.Model(
        image, keras.layers.Conv2D(CLASSES, 3, padding="same")(keras.layers.Rescaling(1 / 127.5, -1)(image))
    )
    folder = tmp_path_factory.mktemp("colours")
    export_network(network, str(folder / "model"), "resize")
    registry = Registry(str(folder / "registry"))
    registry.push(str(folder / "model"), **BIRTH)
    registry.serve(1)
    with Served(registry.uri) as served:
        yield served


def addresses(process: Served) -> dict[str, str]:
    return {
        "v1 REST": f"{process.http}/v1/models/{MODEL}",
        "v1 gRPC": f"grpc://{process.grpc}/v1/models/{MODEL}",
        "v2 REST": f"v2+{process.http}/v2/models/{MODEL}",
        "v2 gRPC": f"v2+grpc://{process.grpc}/v2/models/{MODEL}",
    }


@pytest.mark.parametrize("photograph", PHOTOGRAPHS, ids=lambda path: path.name)
def test_the_answers_are_equal_in_every_pixel_and_figure(process: Served, photograph: Path) -> None:
    answers: dict[str, Segmentation] = {}
    for name, address in addresses(process).items():
        with SegmentationClient(address, timeout=120) as client:
            answers[name] = client.predict(photograph)
    first = answers["v1 gRPC"]
    assert len(np.unique(first.mask_HW)) > 1
    for name, answer in answers.items():
        np.testing.assert_array_equal(answer.mask_HW, first.mask_HW, err_msg=name)
        assert (
            np.float32(list(answer.fractions.values())).tolist() == np.float32(list(first.fractions.values())).tolist()
        )
        assert np.float32(answer.mean_confidence) == np.float32(first.mean_confidence), name
        assert (answer.class_names, answer.model_version) == (first.class_names, 1), name


def test_probabilities_are_equal_as_json_and_as_raw_bytes(process: Served) -> None:
    body = PHOTOGRAPHS[0].read_bytes()

    def infer(is_raw: bool) -> tuple[dict[str, Any], bytes]:
        image = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(body) + 4}}
        parameters = {"signature_name": "probabilities", "binary_data_output": is_raw}
        head = json.dumps({"inputs": [image], "parameters": parameters}).encode()
        sent = head + len(body).to_bytes(4, "little") + body
        status, answer = process.post(
            f"/v2/models/{MODEL}/infer", sent, **{"Inference-Header-Content-Length": str(len(head))}
        )
        assert status == 200
        end = answer.index(b"}]}") + 3 if is_raw else len(answer)
        return json.loads(answer[:end])["outputs"][0], answer[end:]

    as_text, _ = infer(False)
    head, raw = infer(True)
    assert as_text["shape"] == head["shape"] == [1, TILE, TILE, CLASSES]
    assert head["parameters"]["binary_data_size"] == len(raw)
    np.testing.assert_array_equal(np.frombuffer(raw, "<f4"), np.array(as_text["data"], np.float32))
