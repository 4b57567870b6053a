"""The base class of the loss terms: settings, and the loss that they configure."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar

from pydantic import Field

from common.settings import Settings
from components.trainer.lazy_tensorflow import tf


class Term(Settings):
    """A summand of the loss; a subclass names its `type` and adds its own keys."""

    type: str
    factor: Annotated[float, Field(gt=0, description="What the term is multiplied by in the sum.")] = 1.0
    weighted: ClassVar[bool] = False
    """Whether a pixel counts by the weight of its class; the other terms weight all classes equally by construction."""

    @abstractmethod
    def loss(self, mask_BHW: tf.Tensor, logits_BHWK: tf.Tensor, class_weight_C: tf.Tensor) -> tf.Tensor:
        """Returns the term's loss of a batch, a scalar, without its factor."""
