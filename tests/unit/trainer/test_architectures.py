"""The architecture that a configuration names, or leaves out."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from components.trainer.architectures import DEFAULT_ARCHITECTURE, Encoder, EncoderUNet, UNet
from components.trainer.config import TrainerConfig


def model(section: dict[str, Any]) -> object:
    return TrainerConfig.model_validate({"model": section}).model


def test_without_a_section_it_starts_from_imagenet() -> None:
    architecture = TrainerConfig().model
    assert architecture == DEFAULT_ARCHITECTURE == TrainerConfig.model_validate({}).model
    assert isinstance(architecture, EncoderUNet) and architecture.encoder.weights == "imagenet"


@pytest.mark.parametrize("section", [{}, {"width": 16}, {"type": "unet"}])
def test_a_section_without_an_encoder_is_a_unet(section: dict[str, Any]) -> None:
    assert model(section) == UNet()


@pytest.mark.parametrize("weights", ["none", "/data/mobilenet.h5"])
def test_weights_alone_change_those_of_the_default(weights: str) -> None:
    encoder = DEFAULT_ARCHITECTURE.encoder.model_copy(update={"weights": weights})
    assert model({"encoder": {"weights": weights}}) == DEFAULT_ARCHITECTURE.model_copy(update={"encoder": encoder})


def test_a_named_encoder_needs_a_type() -> None:
    assert model({"type": "encoder_unet", "encoder": {"name": "resnet50"}}) == EncoderUNet(
        encoder=Encoder(name="resnet50")
    )
    with pytest.raises(ValidationError, match="type"):
        model({"encoder": {"name": "resnet50"}})
