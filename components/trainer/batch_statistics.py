"""Batch normalisation with few images in a batch: where it is refused, and where it is warned of."""

from __future__ import annotations

from common.plurals import counted
from components.trainer.architectures import FPN, DeepLabV3Plus, UNet
from components.trainer.config import TrainerConfig

_FEW = 2
_DECODER = "trainer.model.normalise to group"
_ENCODER = "trainer.fine_tuning, which keeps the encoder's statistics"


def check_batch_statistics(config: TrainerConfig, height: int, width: int) -> None:
    """Checks that no batch normalisation is trained on a single value of each channel.

    The deviation of one value is 0: such a layer gives a constant in training, and divides by nearly 0 in serving.

    Raises:
        ValueError: the batch has one image, and the features of an image are one pixel, or are averaged to one.
    """
    if config.batch_size // config.workers > 1:
        return
    remedy = _remedy(config, one_pixel=max(height, width) <= 2**config.model.num_downsamples)
    if remedy:
        raise ValueError(
            f"trainer.batch_size {config.batch_size} leaves batch normalisation a single value of each channel at the "
            f"network's smallest features; raise it, or set {remedy}"
        )


def small_batch_warning(config: TrainerConfig, images: int) -> str | None:
    """Returns a warning if batch normalisation is trained with one or two images at a time on a device."""
    if images > _FEW:
        return None
    remedies = [_DECODER] if _in_decoder(config) else []
    remedies += [_ENCODER] if _in_encoder(config) else []
    if not remedies:
        return None
    return (
        f"batch normalisation is trained with {counted(images, 'image')} in a batch, whose mean and deviation "
        f"are not those of the data, with which the model is evaluated and served; raise trainer.batch_size, or set "
        f"{' and '.join(remedies)}"
    )


def _remedy(config: TrainerConfig, one_pixel: bool) -> str | None:
    """Returns the setting that helps, if batch normalisation is trained on features of one pixel."""
    averages = isinstance(config.model, DeepLabV3Plus)  # Its pyramid has a branch with the mean of the image.
    if _in_decoder(config) and (averages or (one_pixel and isinstance(config.model, (UNet, FPN)))):
        return _DECODER
    return _ENCODER if one_pixel and _in_encoder(config) else None


def _in_decoder(config: TrainerConfig) -> bool:
    return getattr(config.model, "normalise", "none") == "batch"


def _in_encoder(config: TrainerConfig) -> bool:
    encoder = config.model.encoder
    return encoder is not None and encoder.spec.batch_normalised and config.fine_tuning is None
