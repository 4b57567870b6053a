"""The encoders: what is known of each, in one record.

It stands outside `models/`, which imports TensorFlow. A new encoder is a record in `ENCODERS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

STRIDES = (2, 4, 8, 16, 32)
"""Strides at which an encoder hands features to a decoder; one that begins with stride 4 has none at 2."""

OUTPUT = "(output)"
"""Stands for the network's last features, whose layer Keras does not name."""

_PUBLISHED_AT = "https://storage.googleapis.com/tensorflow/keras-applications"
_USUAL_SIDE = 224


class InputOf(str):
    """The features that go into the layer of this name; Keras does not name the layer that they come from."""

    __slots__ = ()


class PublishedFile(NamedTuple):
    """A file with the weights of a network without its classifier, trained on ImageNet, as Keras publishes it."""

    folder: str
    name: str
    md5: str | None = None

    @property
    def url(self) -> str:
        """The address of the file."""
        return f"{_PUBLISHED_AT}/{self.folder}/{self.name}"


@dataclass(frozen=True)
class EncoderSpec:
    """A classification network, of keras.applications or our own, which serves as an encoder.

    Attributes:
        application: Name of its builder in `keras.applications`, or in `models/mix_transformer.py`.
        preprocessing: Mode of its `preprocess_input`: `tf` scales to −1…1, `tf_128` by 1/128 to about the same, `torch`
            by ImageNet's mean and standard deviation, `caffe` to BGR less ImageNet's mean.
        skip_layers: Names of the layers whose features have the strides of `STRIDES`; `None` where there is none.
        weights: The file that Keras publishes, if any; `{alpha}` and `{side}` in its name stand for the width and the
            size of the images.
        alphas: Width with published weights → how the file's name writes it; empty if the width is fixed.
        sides: Sizes of square images with a file of their own, if there are several.
        scales_itself: Whether the builder puts the preprocessing into the network unless it is told not to.
        batch_normalised: Whether its convolutions are followed by batch normalisation.
    """

    application: str
    preprocessing: Literal["tf", "tf_128", "torch", "caffe"]
    skip_layers: tuple[str | None, str, str, str, str]
    weights: PublishedFile | None
    alphas: Mapping[float, str] = field(default_factory=dict)
    sides: tuple[int, ...] = ()
    scales_itself: bool = False
    batch_normalised: bool = True

    def builder_arguments(self, alpha: float) -> dict[str, Any]:
        """Returns the builder's arguments: the width if it takes one, and no preprocessing inside the network."""
        arguments: dict[str, Any] = {"alpha": alpha} if self.alphas else {}
        return arguments | ({"include_preprocessing": False} if self.scales_itself else {})

    def published(self, alpha: float, height: int, width: int) -> PublishedFile:
        """Returns the file for a width and a size of images: that of their size if there is one, else of 224²."""
        assert self.weights is not None
        side = height if height == width and height in self.sides else _USUAL_SIDE
        name = self.weights.name.format(alpha=self.alphas.get(alpha), side=side)
        return self.weights._replace(name=name)


ENCODERS: dict[str, EncoderSpec] = {
    "mobilenet_v2": EncoderSpec(
        "MobileNetV2",
        preprocessing="tf",
        skip_layers=(
            "block_1_expand_relu",
            "block_3_expand_relu",
            "block_6_expand_relu",
            "block_13_expand_relu",
            "block_16_project",
        ),
        weights=PublishedFile(
            "mobilenet_v2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{side}_no_top.h5"
        ),
        alphas={0.35: "0.35", 0.5: "0.5", 0.75: "0.75", 1.0: "1.0", 1.3: "1.3", 1.4: "1.4"},
        sides=(96, 128, 160, 192, 224),
    ),
    "densenet121": EncoderSpec(
        "DenseNet121",
        preprocessing="torch",
        skip_layers=("conv1/relu", "pool2_relu", "pool3_relu", "pool4_relu", "relu"),
        weights=PublishedFile(
            "densenet", "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5", "30ee3e1110167f948a6b9946edeeb738"
        ),
    ),
    "vgg16": EncoderSpec(
        "VGG16",
        preprocessing="caffe",
        batch_normalised=False,
        # The features before each pool: more layers have seen them than those after the pool of the level above.
        skip_layers=("block2_conv2", "block3_conv3", "block4_conv3", "block5_conv3", "block5_pool"),
        weights=PublishedFile(
            "vgg16", "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5", "6d6bbae143d832006294945121d1f1fc"
        ),
    ),
    "mobilenet": EncoderSpec(
        "MobileNet",
        preprocessing="tf",
        skip_layers=("conv_pw_1_relu", "conv_pw_3_relu", "conv_pw_5_relu", "conv_pw_11_relu", "conv_pw_13_relu"),
        weights=PublishedFile("mobilenet", "mobilenet_{alpha}_{side}_tf_no_top.h5"),
        alphas={0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"},
        sides=(128, 160, 192, 224),
    ),
    "efficientnet_v2_b0": EncoderSpec(
        "EfficientNetV2B0",
        preprocessing="torch",
        scales_itself=True,
        skip_layers=(
            "block1a_project_activation",
            "block2b_expand_activation",
            "block4a_expand_activation",
            "block6a_expand_activation",
            "top_activation",
        ),
        weights=PublishedFile("efficientnet_v2", "efficientnetv2-b0_notop.h5", "893217f2bb855e2983157299931e43ff"),
    ),
    "resnet50": EncoderSpec(
        "ResNet50",
        preprocessing="caffe",
        skip_layers=("conv1_relu", "conv2_block3_out", "conv3_block4_out", "conv4_block6_out", "conv5_block3_out"),
        weights=PublishedFile(
            "resnet", "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5", "4d473c1dd8becc155b73f8504c6f6626"
        ),
    ),
    "resnet101": EncoderSpec(
        "ResNet101",
        preprocessing="caffe",
        skip_layers=("conv1_relu", "conv2_block3_out", "conv3_block4_out", "conv4_block23_out", "conv5_block3_out"),
        weights=PublishedFile(
            "resnet", "resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5", "88cf7a10940856eca736dc7b7e228a21"
        ),
    ),
    "mobilenet_v3_small": EncoderSpec(
        "MobileNetV3Small",
        preprocessing="tf",
        scales_itself=True,
        skip_layers=(
            InputOf("expanded_conv/depthwise/pad"),
            "expanded_conv/project/BatchNorm",
            "expanded_conv_2/Add",
            "expanded_conv_7/Add",
            OUTPUT,
        ),
        weights=PublishedFile("mobilenet_v3", "weights_mobilenet_v3_small_224_{alpha}_float_no_top_v2.h5"),
        alphas={0.75: "0.75", 1.0: "1.0"},
    ),
    "mobilenet_v3_large": EncoderSpec(
        "MobileNetV3Large",
        preprocessing="tf",
        scales_itself=True,
        skip_layers=(
            "expanded_conv/Add",
            "expanded_conv_2/Add",
            "expanded_conv_5/Add",
            "expanded_conv_11/Add",
            OUTPUT,
        ),
        weights=PublishedFile("mobilenet_v3", "weights_mobilenet_v3_large_224_{alpha}_float_no_top_v2.h5"),
        alphas={0.75: "0.75", 1.0: "1.0"},
    ),
    "efficientnet_v2_s": EncoderSpec(
        "EfficientNetV2S",
        preprocessing="tf_128",
        scales_itself=True,
        skip_layers=(
            "block1b_add",
            "block2d_add",
            "block4a_expand_activation",
            "block6a_expand_activation",
            "top_activation",
        ),
        weights=PublishedFile("efficientnet_v2", "efficientnetv2-s_notop.h5", "af0682fb74e8c54910f2d4393339c070"),
    ),
    "convnext_tiny": EncoderSpec(
        "ConvNeXtTiny",
        preprocessing="torch",
        scales_itself=True,
        batch_normalised=False,
        skip_layers=(
            None,
            InputOf("convnext_tiny_downsampling_block_0"),
            InputOf("convnext_tiny_downsampling_block_1"),
            InputOf("convnext_tiny_downsampling_block_2"),
            OUTPUT,
        ),
        weights=PublishedFile(
            "convnext", "convnext_tiny_notop.h5", "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"
        ),
    ),
    **{
        f"mit_{size}": EncoderSpec(
            f"MixTransformer{size.upper()}",
            preprocessing="torch",
            batch_normalised=False,
            skip_layers=(None, "layer_norm.0", "layer_norm.1", "layer_norm.2", "layer_norm.3"),
            weights=None,
        )
        for size in ("b0", "b1", "b2")
    },
}
