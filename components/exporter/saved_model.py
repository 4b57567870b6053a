"""The SavedModel, as what other formats are made of and compared with."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image

from common.errors import UserError
from common.signatures import (
    MASK,
    MASK_BYTES,
    PIXELS,
    SERVING_ARRAYS,
    SERVING_DEFAULT,
    SERVING_INPUTS,
    SERVING_VALUES,
    VALUES,
)

if TYPE_CHECKING:
    from components.exporter.formats import Arrays


class SavedModel:
    """A loaded SavedModel of segpipe with the signatures for arrays."""

    def __init__(self, folder: str) -> None:
        """Loads it.

        Raises:
            UserError: it was exported without those signatures.
        """
        self.loaded = tf.saved_model.load(folder)
        if SERVING_INPUTS not in self.loaded.signatures:
            raise UserError(
                f"the model in {folder} was exported by an older segpipe, without the signature {SERVING_INPUTS} from "
                "which other formats are made: run the pipeline again"
            )

    @property
    def takes_any_size(self) -> bool:
        """Whether there is a graph for images of any size: the model resizes images, and does not slide a window."""
        return SERVING_ARRAYS in self.loaded.signatures

    def signature(self, any_size: bool) -> Any:
        """Returns the concrete function for arrays: of any size if that is asked for and there is one."""
        return self.loaded.signatures[SERVING_ARRAYS if any_size and self.takes_any_size else SERVING_INPUTS]

    def specs(self, any_size: bool) -> list[tf.TensorSpec]:
        """Returns name, type and shape of each input of that function; `pixels` first."""
        named = self.signature(any_size).structured_input_signature[1]
        names = sorted(named, key=lambda name: (name != PIXELS, name))
        return [tf.TensorSpec(named[name].shape, named[name].dtype, name=name) for name in names]

    def values(self, samples_HWC: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns the values 0…255 that the network gets for an image's samples; those of RGB are the samples."""
        scale = self.loaded.signatures.get(SERVING_VALUES)
        if scale is None:
            return samples_HWC
        flat_NC = tf.constant(samples_HWC.reshape(-1, samples_HWC.shape[-1]))
        values_HWC: npt.NDArray[np.float32] = scale(pixels=flat_NC)[VALUES].numpy().reshape(samples_HWC.shape)
        return values_HWC

    def mask_of_file(self, encoded: bytes) -> npt.NDArray[np.uint8]:
        """Returns the mask [1, H, W] that an app gets for an encoded image."""
        answer = self.loaded.signatures[SERVING_DEFAULT](image=tf.constant([encoded]))
        mask_HW = np.asarray(Image.open(io.BytesIO(answer[MASK_BYTES].numpy()[0])), np.uint8)
        return mask_HW[np.newaxis]

    def mask_of_inputs(self, inputs: Arrays) -> npt.NDArray[np.uint8]:
        """Returns the masks [B, H, W] of inputs of the model's size."""
        answer = self.signature(any_size=False)(**{name: tf.constant(array) for name, array in inputs.items()})
        mask_BHW: npt.NDArray[np.uint8] = answer[MASK].numpy()
        return mask_BHW
