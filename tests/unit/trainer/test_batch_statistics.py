"""Batch normalisation with one or two images: refused, warned of, or harmless."""

from __future__ import annotations

import pytest

from components.trainer.architectures import Architecture, DeepLabV3Plus, Encoder, EncoderUNet, UNet
from components.trainer.batch_statistics import check_batch_statistics, small_batch_warning
from components.trainer.config import TrainerConfig
from components.trainer.learning_config import FineTuning

RESNET = Encoder(name="resnet50", weights="none")
CONVNEXT = Encoder(name="convnext_tiny", weights="none")
FROZEN_STATISTICS = FineTuning(from_epoch=2, learning_rate=1e-4)


def config(model: Architecture, batch_size: int = 1, workers: int = 1, **changes: object) -> TrainerConfig:
    return TrainerConfig(model=model, batch_size=batch_size, workers=workers, **changes)


@pytest.mark.parametrize(
    ("trainer", "remedy"),
    [
        (config(UNet(depth=5)), "trainer.model.normalise to group"),
        (config(UNet(depth=5), batch_size=2, workers=2), "trainer.model.normalise to group"),
        (config(EncoderUNet(encoder=RESNET, normalise="group")), "trainer.fine_tuning, which keeps the encoder's"),
        (config(DeepLabV3Plus(encoder=CONVNEXT)), "trainer.model.normalise to group"),
    ],
)
def test_a_single_value_of_each_channel_is_refused(trainer: TrainerConfig, remedy: str) -> None:
    with pytest.raises(ValueError, match=f"leaves batch normalisation a single value .* or set {remedy}"):
        check_batch_statistics(trainer, 32, 32)


@pytest.mark.parametrize(
    "trainer",
    [
        config(UNet(depth=5), batch_size=2),
        config(UNet(depth=4)),
        config(UNet(depth=5, normalise="group")),
        config(UNet(depth=5, normalise="none")),
        config(EncoderUNet(encoder=RESNET, normalise="group"), fine_tuning=FROZEN_STATISTICS),
        config(DeepLabV3Plus(encoder=CONVNEXT, normalise="group")),
    ],
)
def test_other_settings_of_small_images_are_accepted(trainer: TrainerConfig) -> None:
    check_batch_statistics(trainer, 32, 32)


def test_a_pyramid_that_averages_the_image_is_refused_at_every_size() -> None:
    with pytest.raises(ValueError, match="single value of each channel"):
        check_batch_statistics(config(DeepLabV3Plus(encoder=CONVNEXT)), 512, 512)


@pytest.mark.parametrize(
    ("model", "remedies"),
    [
        (UNet(), "set trainer.model.normalise to group"),
        (EncoderUNet(encoder=CONVNEXT), "set trainer.model.normalise to group"),
        (
            EncoderUNet(encoder=RESNET),
            "set trainer.model.normalise to group and trainer.fine_tuning, which keeps the encoder's statistics",
        ),
        (
            EncoderUNet(encoder=RESNET, normalise="none"),
            "set trainer.fine_tuning, which keeps the encoder's statistics",
        ),
    ],
)
@pytest.mark.parametrize("images", [1, 2])
def test_one_or_two_images_are_warned_of(model: Architecture, remedies: str, images: int) -> None:
    warning = small_batch_warning(config(model, batch_size=images), images)
    assert warning is not None
    assert warning.startswith(f"batch normalisation is trained with {images} image{'' if images == 1 else 's'} in a")
    assert warning.endswith(f"or {remedies}")


@pytest.mark.parametrize(
    ("trainer", "images"),
    [
        (config(UNet(), batch_size=3), 3),
        (config(UNet(normalise="group")), 1),
        (config(EncoderUNet(encoder=CONVNEXT, normalise="group")), 1),
        (config(EncoderUNet(encoder=RESNET, normalise="group"), fine_tuning=FROZEN_STATISTICS), 1),
    ],
)
def test_without_trained_batch_statistics_there_is_no_warning(trainer: TrainerConfig, images: int) -> None:
    assert small_batch_warning(trainer, images) is None
