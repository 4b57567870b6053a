"""The architectures and their settings.

It is outside `models/`, which imports TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from common.settings import Settings, default_type
from components.trainer.encoder_specs import ENCODERS, EncoderSpec

if TYPE_CHECKING:
    EncoderName = str
else:
    EncoderName = Literal[tuple(ENCODERS)]


def _name_of(value: object) -> object:
    """Reads true and false, which this key took before it had names."""
    return {True: "batch", False: "none"}[value] if isinstance(value, bool) else value


Normalise = Annotated[Literal["batch", "group", "none"], BeforeValidator(_name_of)]

_NORMALISE = (
    "Normalisation after each convolution{where}: `batch`, `group` (independent of the batch, for batches of one or "
    "two images), or `none`."
)


class UNet(Settings):
    """The U-Net of Ronneberger et al. (2015), padded."""

    type: Literal["unet"] = "unet"
    width: int = Field(
        default=16,
        ge=1,
        le=512,
        description="Channels of the first level; each further level doubles. The paper's 64 takes 16 times as long.",
    )
    depth: int = Field(
        default=4, ge=1, le=8, description="Number of downsamplings: width 64 and depth 4 give 64…1024 channels."
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout rate at the bottom.")
    normalise: Normalise = Field(default="batch", description=_NORMALISE.format(where="") + " In the paper: none.")
    attention: bool = Field(
        default=False,
        description="Whether attention gates (Oktay et al. 2018) weight the skip connections.",
    )

    @property
    def num_downsamples(self) -> int:
        """Number of times that height and width are halved."""
        return self.depth

    @property
    def size_divisor(self) -> int:
        """Number by which height and width must be divisible."""
        return 2**self.depth

    @property
    def encoder(self) -> None:
        """It has none."""
        return None


class Encoder(Settings):
    """A classification network without its classifier; it applies its own image scaling."""

    name: EncoderName = Field(description="The network.", examples=["mobilenet_v2"])
    weights: str = Field(
        default="imagenet",
        description="Initial weights: `imagenet` (Keras' weights, downloaded once; not for `mit_…`), a local .h5 file "
        "with weights of the network without its top, or `none` (random).",
    )
    alpha: float = Field(default=1.0, gt=0, le=2, description="Width multiplier of the MobileNets.")

    @model_validator(mode="before")
    @classmethod
    def _is_a_section(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(f"write it as {{name: {value}}}, so that weights can be named beside it")
        return value

    @field_validator("weights")
    @classmethod
    def _imagenet_file_or_none(cls, value: str) -> str:
        if value not in ("imagenet", "none") and not value.endswith((".h5", ".hdf5")):
            raise ValueError(f"{value!r} is neither imagenet, nor none, nor the path of an .h5 file")
        return value

    @model_validator(mode="after")
    def _is_published(self) -> Encoder:
        if self.weights == "imagenet" and self.spec.weights is None:
            raise ValueError(
                f"Keras publishes no weights of {self.name}; convert a published .safetensors file with `segpipe "
                f"convert-weights {self.name} FILE` and name the .h5 file in weights, or write none"
            )
        return self

    @model_validator(mode="after")
    def _alpha_exists(self) -> Encoder:
        alphas = self.spec.alphas
        if not alphas and self.alpha != 1:
            scalable = ", ".join(sorted(name for name, spec in ENCODERS.items() if spec.alphas))
            raise ValueError(f"alpha is for {scalable}; {self.name} has none")
        if alphas and self.weights == "imagenet" and self.alpha not in alphas:
            raise ValueError(f"{self.name} has ImageNet weights for alpha {', '.join(map(str, alphas))} only")
        return self

    @property
    def spec(self) -> EncoderSpec:
        """The encoder's record."""
        return ENCODERS[self.name]


class EncoderArchitecture(Settings):
    """Common settings of architectures with an encoder."""

    @property
    def num_downsamples(self) -> int:
        """Number of times that height and width are halved."""
        return 5

    @property
    def size_divisor(self) -> int:
        """Number by which height and width must be divisible."""
        return 2**self.num_downsamples


class EncoderUNet(EncoderArchitecture):
    """A U-Net with a pretrained encoder and skip connections at strides 2, 4, 8, 16 and 32."""

    type: Literal["encoder_unet"] = "encoder_unet"
    encoder: Encoder = Field(description="The encoder.", examples=["{name: mobilenet_v2}"])
    decoder: Literal["pix2pix", "convolution", "unet++"] = Field(
        default="pix2pix",
        description="The decoder: one transposed convolution per level; bilinear upsampling and two convolutions; or "
        "these with the nested skip connections of U-Net++ (Zhou et al. 2018).",
    )
    widths: tuple[int, int, int, int] = Field(
        default=(512, 256, 128, 64), description="Channels of the decoder levels, at strides 16, 8, 4 and 2."
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout rate after the first two decoder levels.")
    normalise: Normalise = Field(default="batch", description=_NORMALISE.format(where=" of the decoder"))
    attention: bool = Field(
        default=False,
        description="Whether attention gates (Oktay et al. 2018) weight the skip connections; not with unet++.",
    )

    @model_validator(mode="after")
    def _gates_single_skips(self) -> EncoderUNet:
        if self.attention and self.decoder == "unet++":
            raise ValueError(
                "attention is for the decoders pix2pix and convolution; unet++ has nested skip connections"
            )
        return self

    @field_validator("widths")
    @classmethod
    def _positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not all(1 <= width <= 4096 for width in value):
            raise ValueError(f"each width must be from 1 to 4096, not {list(value)}")
        return value


class FCN8(EncoderArchitecture):
    """The FCN-8s of Long, Shelhamer and Darrell (2015) on VGG16."""

    type: Literal["fcn8"] = "fcn8"
    encoder: Encoder = Field(default=Encoder(name="vgg16"), description="VGG16 and its initial weights.")
    head_width: int = Field(
        default=4096,
        ge=1,
        le=8192,
        description="Channels of the two layers on top of the encoder: 4096 as published are 120 million weights.",
    )
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Dropout rate after each of the two.")

    @field_validator("encoder")
    @classmethod
    def _stands_on_vgg16(cls, value: Encoder) -> Encoder:
        if value.name != "vgg16":
            raise ValueError(
                f"fcn8 requires the encoder vgg16, not {value.name}; encoder_unet and deeplabv3plus take any encoder"
            )
        return value


class DeepLabV3Plus(EncoderArchitecture):
    """DeepLabV3+ of Chen et al. (2018): atrous spatial pyramid pooling on an encoder, and a small decoder."""

    type: Literal["deeplabv3plus"] = "deeplabv3plus"
    encoder: Encoder = Field(description="The encoder; its layers are not dilated.", examples=["{name: resnet50}"])
    output_stride: Literal[16, 32] = Field(
        default=16, description="Stride of the features that are pooled; at 16 the encoder ends there, as far as used."
    )
    rates: tuple[int, ...] = Field(
        default=(6, 12, 18),
        min_length=1,
        max_length=8,
        description="Dilation rates of the pyramid; one beyond height / output_stride sees little but padding.",
    )
    width: int = Field(default=256, ge=1, le=2048, description="Channels of the pyramid and of the decoder.")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Dropout rate after the pyramid.")
    normalise: Normalise = Field(
        default="batch", description=_NORMALISE.format(where=" of the pyramid and the decoder")
    )

    @field_validator("rates")
    @classmethod
    def _positive(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if min(value) < 1:
            raise ValueError(f"rates must be at least 1, not {list(value)}")
        return value


class FPN(EncoderArchitecture):
    """The feature pyramid network of Lin et al. (2017) with the semantic branch of Kirillov et al. (2019)."""

    type: Literal["fpn"] = "fpn"
    encoder: Encoder = Field(description="The encoder.", examples=["{name: resnet50}"])
    pyramid_width: int = Field(default=256, ge=1, le=2048, description="Channels of the pyramid.")
    width: int = Field(default=128, ge=1, le=2048, description="Channels of the branch behind each of its levels.")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Dropout rate before the last convolution.")
    normalise: Normalise = Field(default="group", description=_NORMALISE.format(where=" of the branches"))


class SegFormer(EncoderArchitecture):
    """SegFormer of Xie et al. (2021): a Mix Transformer and a decoder of dense layers, for images of any size."""

    type: Literal["segformer"] = "segformer"
    encoder: Encoder = Field(description="`mit_b0`, `mit_b1` or `mit_b2`.", examples=["{name: mit_b0, weights: none}"])
    decoder_width: int = Field(
        default=256, ge=1, le=2048, description="Channels of the decoder; in the paper 256 for B0 and B1, 768 for B2."
    )
    dropout: float = Field(default=0.1, ge=0, lt=1, description="Dropout rate before the last convolution.")
    normalise: Normalise = Field(default="batch", description=_NORMALISE.format(where=" of the decoder"))

    @field_validator("encoder")
    @classmethod
    def _stands_on_a_mix_transformer(cls, value: Encoder) -> Encoder:
        if not value.name.startswith("mit_"):
            raise ValueError(f"segformer requires the encoder mit_b0, mit_b1 or mit_b2, not {value.name}")
        return value

    @property
    def size_divisor(self) -> int:
        """Any size will do."""
        return 1


DEFAULT_ARCHITECTURE = EncoderUNet(encoder=Encoder(name="mobilenet", alpha=0.75))
"""A network that is good on few images, of photographs and of microscopes alike, and small enough for processors.

docs/results.md compares it with a U-Net from random weights on two datasets.
"""


def _changed_default(value: object) -> object:
    """Reads an encoder without a name as settings of the default one, as in `trainer.model.encoder.weights=FILE`."""
    if not isinstance(value, dict) or "type" in value:
        return value
    encoder = value.get("encoder")
    if not isinstance(encoder, dict) or "name" in encoder:
        return value
    default = DEFAULT_ARCHITECTURE.model_dump()
    return {**default, **value, "encoder": {**default["encoder"], **encoder}}


Architecture = UNet | EncoderUNet | FCN8 | DeepLabV3Plus | FPN | SegFormer
TaggedArchitecture = Annotated[
    Architecture,
    Field(discriminator="type"),
    default_type("unet", UNet, EncoderUNet, FCN8, DeepLabV3Plus, FPN, SegFormer),
    BeforeValidator(_changed_default),
]


def untrained(model: Architecture) -> Architecture:
    """Returns the architecture without initial weights of its encoder, which need a file."""
    if model.encoder is None:
        return model
    return model.model_copy(update={"encoder": model.encoder.model_copy(update={"weights": "none"})})
