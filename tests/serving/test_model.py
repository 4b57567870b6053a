"""One loaded version, without a server around it."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import tensorflow as tf
from grpc import StatusCode

from serving.errors import ServingError
from serving.model import Model, warm_up
from tests.support.serving import classes_in, picture


@pytest.fixture
def folder(exported: Path) -> str:
    return str(exported / "versions" / "1")


def graphs() -> int:
    return sum(isinstance(one, tf.Graph) for one in gc.get_objects())


def test_a_closed_version_leaves_nothing_behind(folder: str) -> None:
    gc.collect()  # What the export has left.
    before = graphs()
    for _ in range(2):
        model = Model(folder)
        assert warm_up(model, folder) == 0
        assert graphs() > before
        model.close()
    assert graphs() == before


def test_it_gives_what_tensorflows_own_loader_gives(folder: str) -> None:
    encoded = [picture(), picture(90, 33, "JPEG")]
    model = Model(folder)
    signature = model.signature("")
    assert signature
    outputs = model.run(signature, encoded, 60)
    model.close()
    wanted = tf.saved_model.load(folder).signatures["serving_default"](image=tf.constant(encoded))
    assert outputs.keys() == wanted.keys()
    for name, values in wanted.items():
        assert outputs[name].tolist() == values.numpy().tolist()
    assert classes_in(outputs["mask_bytes"][1]) == {1}


def test_a_call_ends_at_its_deadline(folder: str) -> None:
    model = Model(folder)
    signature = model.signature("serving_default")
    assert signature
    with pytest.raises(ServingError) as caught:
        model.run(signature, [picture(1900, 1900)], 0.2)
    assert caught.value.code is StatusCode.DEADLINE_EXCEEDED
    model.close()


def test_what_is_no_model_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(ServingError, match="TensorFlow cannot load it: ") as caught:
        Model(str(tmp_path))
    assert "\n" not in caught.value.message
