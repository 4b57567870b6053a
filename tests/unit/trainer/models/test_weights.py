"""Pretrained weights: found or named, loaded as they are, refused where they do not fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import h5py
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from sklearn.datasets import load_sample_images

from common.errors import UserError
from components.trainer.architectures import Encoder, EncoderName, EncoderUNet, UNet
from components.trainer.encoder_specs import ENCODERS
from components.trainer.models import check_encoder, encoder_of
from components.trainer.models.encoders import encode, network_with_weights, skip_layers
from components.trainer.models.weights import find_weights, load_weights, weights_digest
from components.transform.config import TransformConfig

SIDE = 64
SLOW_TO_BUILD = [
    pytest.param(name, marks=pytest.mark.slow)
    for name in get_args(EncoderName)
    if name not in ("mobilenet", "mobilenet_v3_small")
]
IMAGENET = Path(os.environ.get("SEGPIPE_TEST_WEIGHTS", "../shared/weights")) / "mobilenet_7_5_224_tf_no_top.h5"
needs_imagenet = pytest.mark.skipif(
    not IMAGENET.is_file(), reason=f"{IMAGENET} is not here; SEGPIPE_TEST_WEIGHTS names a folder that has it"
)


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> tuple[keras.Model, Path]:
    """A narrow MobileNet, and a file with its weights."""
    keras.utils.set_random_seed(5)
    network = network_with_weights(Encoder(name="mobilenet", weights="none", alpha=0.25), SIDE, SIDE)
    path = tmp_path_factory.mktemp("weights") / "narrow.h5"
    network.save_weights(path)
    return network, path


def mobilenet(path: Path | str, alpha: float = 0.25) -> keras.Model:
    return network_with_weights(Encoder(name="mobilenet", weights=str(path), alpha=alpha), SIDE, SIDE)


def test_a_local_file_is_loaded_as_it_is(narrow: tuple[keras.Model, Path]) -> None:
    network, path = narrow
    for loaded, saved in zip(mobilenet(path).weights, network.weights, strict=True):
        np.testing.assert_array_equal(loaded, saved)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5")
def test_a_whole_saved_model_will_do(narrow: tuple[keras.Model, Path], tmp_path: Path) -> None:
    network, _ = narrow
    network.save(tmp_path / "whole.h5")
    np.testing.assert_array_equal(mobilenet(tmp_path / "whole.h5").weights[0], network.weights[0])


def test_the_weights_of_another_width_are_refused_by_the_layer(narrow: tuple[keras.Model, Path]) -> None:
    sentence = r"narrow\.h5 has 216 weights in its layer conv1, where mobilenet_0\.50_64 has 432 in conv1: .* alpha"
    with pytest.raises(UserError, match=sentence):
        mobilenet(narrow[1], alpha=0.5)


def test_the_weights_of_another_network_are_refused(narrow: tuple[keras.Model, Path]) -> None:
    with pytest.raises(UserError, match="it holds another network"):
        network_with_weights(Encoder(name="vgg16", weights=str(narrow[1])), SIDE, SIDE)


def test_a_network_with_its_top_is_refused(narrow: tuple[keras.Model, Path], tmp_path: Path) -> None:
    keras.applications.MobileNet(alpha=0.25, weights=None, classes=3).save_weights(tmp_path / "top.h5")
    with pytest.raises(UserError, match=r"top\.h5 has 55 layers with weights, but .* without its top has 54"):
        mobilenet(tmp_path / "top.h5")


def test_the_same_sizes_in_another_shape_are_refused(tmp_path: Path) -> None:
    image = keras.Input([4, 4, 3])
    tall = keras.Model(image, keras.layers.Conv2D(2, (1, 3))(image))
    wide = keras.Model(image, keras.layers.Conv2D(2, (3, 1))(image))
    tall.save_weights(tmp_path / "tall.h5")
    with pytest.raises(UserError, match=r"tall\.h5 does not fit model.*\(3, 1, 3, 2\)"):
        load_weights(wide, str(tmp_path / "tall.h5"))


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(100)])
def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.h5"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"broken\.h5 holds no weights as Keras 2 saves them"):
        mobilenet(path)


def test_a_truncated_file_is_refused(narrow: tuple[keras.Model, Path], tmp_path: Path) -> None:
    path = tmp_path / "half.h5"
    path.write_bytes(narrow[1].read_bytes()[: narrow[1].stat().st_size // 2])
    with pytest.raises(UserError, match=r"half\.h5 holds no weights .* interrupted download must be deleted"):
        mobilenet(path)


def test_hdf5_of_something_else_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "table.h5", "w") as file:
        file["layer_names"] = np.arange(3)
    with pytest.raises(UserError, match="holds no weights"):
        mobilenet(tmp_path / "table.h5")


def test_an_array_that_claims_to_be_huge_is_refused_unread(narrow: tuple[keras.Model, Path], tmp_path: Path) -> None:
    path = tmp_path / "bomb.h5"
    path.write_bytes(narrow[1].read_bytes())
    with h5py.File(path, "r+") as file:
        del file["conv1/conv1/kernel:0"]
        file["conv1"].create_dataset("conv1/kernel:0", shape=(1 << 20, 1 << 20), dtype="f4", chunks=(1 << 10, 1 << 10))
    with pytest.raises(UserError, match=r"has 1099511627776 weights in its layer conv1"):
        mobilenet(path)


def test_a_file_that_is_not_there_is_said_before_training() -> None:
    config = EncoderUNet(encoder=Encoder(name="vgg16", weights="nowhere/vgg.h5"))
    with pytest.raises(UserError, match=r"no file nowhere/vgg\.h5, which trainer\.model\.encoder\.weights names"):
        check_encoder(config, TransformConfig(height=SIDE, width=SIDE))


@pytest.mark.parametrize("config", [UNet(), EncoderUNet(encoder=Encoder(name="resnet50", weights="none"))])
def test_without_weights_there_is_nothing_to_check(config: UNet | EncoderUNet) -> None:
    check_encoder(config, TransformConfig(height=SIDE, width=SIDE))


@pytest.mark.parametrize(
    ("encoder", "side", "file"),
    [
        (Encoder(name="mobilenet", alpha=0.75), 224, "mobilenet/mobilenet_7_5_224_tf_no_top.h5"),
        (Encoder(name="mobilenet"), 128, "mobilenet/mobilenet_1_0_128_tf_no_top.h5"),
        (Encoder(name="mobilenet"), 64, "mobilenet/mobilenet_1_0_224_tf_no_top.h5"),
        (
            Encoder(name="mobilenet_v2", alpha=1.4),
            96,
            "mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.4_96_no_top.h5",
        ),
        (Encoder(name="efficientnet_v2_b0"), 96, "efficientnet_v2/efficientnetv2-b0_notop.h5"),
        (
            Encoder(name="mobilenet_v3_small", alpha=0.75),
            96,
            "mobilenet_v3/weights_mobilenet_v3_small_224_0.75_float_no_top_v2.h5",
        ),
    ],
)
def test_the_published_file_is_that_of_the_alpha_and_the_nearest_size(encoder: Encoder, side: int, file: str) -> None:
    assert encoder.spec.published(encoder.alpha, side, side).url.endswith(f"/keras-applications/{file}")


class Asked(Exception):
    """Raised in place of a download."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in get_args(EncoderName) if ENCODERS[name].weights])
def test_the_published_file_is_the_one_that_keras_itself_asks_for(
    name: EncoderName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name, address and hash, which `keras.applications` has in its own sources."""
    asked: list[tuple[str, str, str | None]] = []

    def get_file(name: str, address: str, *, file_hash: str | None = None, **_: object) -> str:
        asked.append((name, address, file_hash))
        raise Asked

    monkeypatch.setattr("tf_keras.src.utils.data_utils.get_file", get_file)
    encoder = Encoder(name=name, weights="imagenet")
    with pytest.raises(Asked), tf.Graph().as_default():
        getattr(keras.applications, encoder.spec.application)(include_top=False, input_shape=(224, 224, 3))
    wanted = encoder.spec.published(1.0, 224, 224)
    assert asked[0][:2] == (wanted.name, wanted.url)
    assert wanted.md5 in (asked[0][2], None)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", *SLOW_TO_BUILD])
def test_each_encoder_starts_from_a_local_file(name: EncoderName, tmp_path: Path) -> None:
    keras.utils.set_random_seed(6)
    saved = network_with_weights(Encoder(name=name, weights="none"), SIDE, SIDE)
    saved.save_weights(tmp_path / "some.h5")
    keras.utils.set_random_seed(7)
    image = keras.Input([SIDE, SIDE, 3])
    encoder = Encoder(name=name, weights=str(tmp_path / "some.h5"))
    model = keras.Model(image, encode(image, encoder, [skip_layers(encoder)[32]]))
    for loaded, source in zip(encoder_of(model).weights, saved.weights, strict=True):
        np.testing.assert_array_equal(np.ravel(loaded), np.ravel(source))


@pytest.mark.parametrize("name", ["mobilenet_v3_small", *SLOW_TO_BUILD])
def test_each_encoder_refuses_the_file_of_another(name: EncoderName, narrow: tuple[keras.Model, Path]) -> None:
    with pytest.raises(UserError, match="it holds another network"):
        network_with_weights(Encoder(name=name, weights=str(narrow[1])), SIDE, SIDE)


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and a proxy at which nobody answers; returns Keras' cache."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    cache = tmp_path / ".keras" / "models"
    cache.mkdir(parents=True)
    return cache


def test_a_download_that_fails_says_which_file_to_bring_and_where_to_name_it(no_network: Path) -> None:
    with pytest.raises(UserError) as raised:
        find_weights(Encoder(name="densenet121"), SIDE, SIDE)
    file = "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert f"bring {file} here by other means" in str(raised.value)
    assert f"trainer.model.encoder.weights=/path/{file}" in str(raised.value)
    assert f"https://storage.googleapis.com/tensorflow/keras-applications/densenet/{file}" in str(raised.value)


def test_what_keras_keeps_is_not_downloaded_again(no_network: Path, narrow: tuple[keras.Model, Path]) -> None:
    kept = no_network / "mobilenet_2_5_224_tf_no_top.h5"
    kept.write_bytes(narrow[1].read_bytes())
    network = network_with_weights(Encoder(name="mobilenet", alpha=0.25), SIDE, SIDE)
    np.testing.assert_array_equal(network.weights[0], narrow[0].weights[0])


def test_the_digest_follows_the_content_of_a_local_file(tmp_path: Path) -> None:
    def digest(content: bytes) -> str:
        (tmp_path / "some.h5").write_bytes(content)
        return weights_digest(Encoder(name="vgg16", weights=str(tmp_path / "some.h5")))

    assert digest(b"one") == digest(b"one") != digest(b"two")
    assert weights_digest(Encoder(name="vgg16")) == weights_digest(None) == ""


@needs_imagenet
def test_imagenet_weights_are_those_of_the_file() -> None:
    network = mobilenet(IMAGENET, alpha=0.75)
    with h5py.File(IMAGENET) as file:
        kernel = file["conv1/conv1/kernel:0"][()]
        moving_mean = file["conv_pw_13_bn/conv_pw_13_bn/moving_mean:0"][()]
    np.testing.assert_array_equal(network.get_layer("conv1").kernel, kernel)
    np.testing.assert_array_equal(network.get_layer("conv_pw_13_bn").moving_mean, moving_mean)


@needs_imagenet
def test_photographs_reach_a_pretrained_encoder_with_the_statistics_that_it_was_trained_on() -> None:
    """A normalisation keeps the mean of what it was trained on: the right scaling gives about the same again."""
    image = keras.Input([416, 640, 3])
    model = keras.Model(
        image, encode(image, Encoder(name="mobilenet", weights=str(IMAGENET), alpha=0.75), ["conv1", "conv1_bn"])
    )
    norm = encoder_of(model).get_layer("conv1_bn")

    def surprise(photographs_BHWC: np.ndarray) -> float:
        mean_C = model(photographs_BHWC, training=False)[0].numpy().mean((0, 1, 2))
        return float(np.median(np.abs(mean_C - norm.moving_mean) / np.sqrt(norm.moving_variance)))

    photographs_BHWC = np.stack(load_sample_images().images)[:, :416].astype(np.float32)
    assert surprise(photographs_BHWC) < 0.3
    assert surprise(photographs_BHWC / 255) > 0.7
