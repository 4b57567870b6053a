"""The SavedModel in a runtime without Python: TensorFlow's C API, from a C program.

The libraries and headers are those of TensorFlow's wheel; no operation of the model may come from Python.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from tensorflow.core.protobuf import saved_model_pb2

from common.signatures import IMAGE, MASK_BYTES, SERVING_DEFAULT
from tests.support.serving import CLASSES, TILE, export_network, picture

SOURCE = Path("tests/serving/c_api/ask.c")
LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled program."""
    compiler, wheel = shutil.which("gcc"), Path(tf.sysconfig.get_lib())
    if compiler is None:
        pytest.skip("gcc is not installed, so that no C program can be compiled")
    if missing := [name for name in LIBRARIES if not (wheel / name).exists()]:
        pytest.skip(f"TensorFlow's wheel does not hold {' and '.join(missing)}")
    program = tmp_path_factory.mktemp("c_api") / "ask"
    linked = [f"-L{wheel}", f"-Wl,-rpath,{wheel}", *(f"-l:{name}" for name in LIBRARIES)]
    command = [compiler, "-o", str(program), str(SOURCE), f"-I{tf.sysconfig.get_include()}", *linked]
    subprocess.run(command, check=True)
    return program


def exported(folder: Path, mode: str) -> Path:
    keras.utils.set_random_seed(0)
    image = keras.Input([TILE, TILE, 3])
    head = keras.layers.Conv2D(CLASSES, 3, padding="same")
    export_network(keras.Model(image, head(keras.layers.Rescaling(1 / 255)(image))), str(folder), mode)
    return folder


def ends_of_signature(model: Path) -> list[str]:
    """Operation and index of the input and the mask, as the SavedModel itself names them."""
    saved = saved_model_pb2.SavedModel.FromString((model / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def[SERVING_DEFAULT]
    return [*signature.inputs[IMAGE].name.split(":"), *signature.outputs[MASK_BYTES].name.split(":")]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["resize", "tile"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_c_program_gets_the_mask_that_python_gets(program: Path, mode: str, kind: str, tmp_path: Path) -> None:
    model = exported(tmp_path / "model", mode)
    image = tmp_path / "image"
    image.write_bytes(picture(90, 56, kind))
    asked = subprocess.run(
        [str(program), str(model), *ends_of_signature(model), str(image)], capture_output=True, timeout=300
    )
    assert asked.returncode == 0, asked.stderr.decode()
    serve = tf.saved_model.load(str(model)).signatures[SERVING_DEFAULT]
    expected = serve(image=tf.constant([image.read_bytes()]))[MASK_BYTES].numpy()[0]
    assert asked.stdout == expected
    assert len(np.unique(tf.io.decode_png(expected))) > 1


@pytest.mark.slow
def test_a_damaged_image_is_an_error_there_too(program: Path, tmp_path: Path) -> None:
    model = exported(tmp_path / "model", "resize")
    image = tmp_path / "image"
    image.write_bytes(picture(kind="JPEG")[:200])
    asked = subprocess.run([str(program), str(model), *ends_of_signature(model), str(image)], capture_output=True)
    assert asked.returncode == 1
    assert b"the JPEG file ends early" in asked.stderr
