"""The base class of the loss terms: settings, and the function that they configure."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from common.settings import Settings
from components.trainer.lazy_tensorflow import tf

Loss = Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"]
"""From `mask_BHW` and `logits_BHWK` to a scalar."""


class Term(Settings):
    """A summand of the loss; a subclass names its `type` and adds its own keys."""

    type: str
    factor: Annotated[float, Field(gt=0, description="What the term is multiplied by in the sum.")] = 1.0
    weighted: ClassVar[bool] = False
    """Whether a pixel counts by the weight of its class; the other terms weight all classes equally by construction."""

    @abstractmethod
    def loss(self, class_weight_C: np.ndarray) -> Loss:
        """Returns the loss function of the term, without its factor."""
