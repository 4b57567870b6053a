"""The exported model: signatures that take what apps have and give what they need.

`serving_default`: encoded pictures in; PNG index masks at their own sizes, class fractions and mean confidence out.
`probabilities`: encoded pictures in, probabilities at the model's size out.
`evaluate`: ingested records in, a confusion matrix of pixel counts for each out.
"""

from __future__ import annotations

import tensorflow as tf
import tf_keras as keras

from components import records
from components.compatibility import skip_autograph_for_keras
from components.evaluator.confusion import confusion_counts_BCC
from components.trainer.picture_header import check_picture
from components.trainer.predictions import predicted_mask_BHW, probabilities_BHWC
from components.transform import features
from components.transform.config import TransformConfig
from components.transform.picture import images_from_bytes, masks_from_bytes, placement


class ServedModel(tf.Module):
    """The network behind the transform graph that made its training records."""

    def __init__(
        self,
        model: keras.Model,
        transform_layer: keras.layers.Layer,
        transform: TransformConfig,
        num_classes: int,
        max_pixels: int,
    ) -> None:
        super().__init__(name="segpipe")
        # Weights and a plain function: a Keras model as an attribute would be saved as one, with a trace of each of its
        # layers that nobody calls.
        self._weights = model.weights
        self._network = lambda image_BHWC: model(image_BHWC, training=False)
        self._transform_layer = transform_layer
        self._transform = transform
        self._num_classes = num_classes
        self._max_pixels = max_pixels

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def serving_default(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Masks at the pictures' own sizes: `mask` [B] PNG, `class_fractions` [B, C], `mean_confidence` [B]."""
        size_B2 = self._checked_sizes(image)
        probabilities = self._probabilities(image, size_B2)
        mask_B, fractions_BC, confidence_B = tf.map_fn(
            lambda of_one: self._at_own_size(*of_one),
            (probabilities, size_B2),
            fn_output_signature=(
                tf.TensorSpec([], tf.string),
                tf.TensorSpec([self._num_classes], tf.float32),
                tf.TensorSpec([], tf.float32),
            ),
        )
        return {"mask": mask_B, "class_fractions": fractions_BC, "mean_confidence": confidence_B}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image")])
    def probabilities(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """`probabilities` [B, H, W, C] at the model's size."""
        return {"probabilities": self._probabilities(image, self._checked_sizes(image))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """`confusion` int64 [B, C·C]: pixels at the model's size, [truth][prediction], void ones left out."""
        keys = (records.IMAGE_ENCODED, records.MASK_ENCODED)
        parsed = tf.io.parse_example(examples, {key: tf.io.FixedLenFeature([], tf.string) for key in keys})
        transformed = self._transform_layer(parsed)
        mask_BHW = masks_from_bytes(transformed[features.MASK], self._transform.height, self._transform.width)
        counts_BCC = confusion_counts_BCC(mask_BHW, predicted_mask_BHW(self._logits(transformed)), self._num_classes)
        return {"confusion": tf.reshape(tf.cast(counts_BCC, tf.int64), [-1, self._num_classes**2])}

    def _checked_sizes(self, image_B: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(
            lambda encoded: check_picture(encoded, self._max_pixels),
            image_B,
            fn_output_signature=tf.TensorSpec([2], tf.int32),
        )

    def _probabilities(self, image_B: tf.Tensor, size_B2: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([size_B2]):  # No pixel is decoded before every header has passed.
            image_B = tf.identity(image_B)
        return probabilities_BHWC(self._logits(self._transform_layer({records.IMAGE_ENCODED: image_B})))

    def _logits(self, transformed: dict[str, tf.Tensor]) -> tf.Tensor:
        image_BHWC = images_from_bytes(transformed[features.IMAGE], self._transform.height, self._transform.width)
        return self._network(tf.cast(image_BHWC, tf.float32))

    def _at_own_size(self, probabilities_HWC: tf.Tensor, size_2: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        place = placement(size_2, self._transform.height, self._transform.width, self._transform.aspect)
        picture_hwC = probabilities_HWC[place.top : place.top + place.height, place.left : place.left + place.width]
        class_HW, confidence_HW = _likeliest(picture_hwC, size_2, self._num_classes)
        pixels_C = tf.math.bincount(
            tf.reshape(class_HW, [-1]), minlength=self._num_classes, maxlength=self._num_classes, dtype=tf.float32
        )
        png = tf.io.encode_png(tf.cast(class_HW, tf.uint8)[..., tf.newaxis])
        return png, pixels_C / tf.reduce_sum(pixels_C), tf.reduce_mean(confidence_HW)


def _likeliest(probabilities_hwC: tf.Tensor, size_2: tf.Tensor, num_classes: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The likeliest class, int32, and its probability in each pixel, after bilinear resizing to `size_2`.

    One class at a time, so that memory does not grow with the number of classes: 59 of them on a picture of 25
    megapixels would otherwise take 6 GB.
    """

    def resized(index: tf.Tensor) -> tf.Tensor:
        return tf.image.resize(probabilities_hwC[..., index, tf.newaxis], size_2)[..., 0]

    def take_if_likelier(index: tf.Tensor, best_HW: tf.Tensor, class_HW: tf.Tensor) -> tuple[tf.Tensor, ...]:
        candidate_HW = resized(index)
        likelier_HW = candidate_HW > best_HW
        return (
            index + 1,
            tf.where(likelier_HW, candidate_HW, best_HW),
            tf.where(likelier_HW, index, class_HW),
        )

    start = (tf.constant(1), resized(tf.constant(0)), tf.zeros(size_2, tf.int32))
    _, best_HW, class_HW = tf.while_loop(
        lambda index, *_: index < num_classes,
        take_if_likelier,
        start,
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, None]), tf.TensorShape([None, None])),
    )
    return class_HW, best_HW


def export(served: ServedModel, directory: str) -> None:
    """Writes the SavedModel with its three signatures."""
    skip_autograph_for_keras()
    signatures = {
        name: getattr(served, name).get_concrete_function() for name in ("serving_default", "probabilities", "evaluate")
    }
    tf.saved_model.save(served, directory, signatures=signatures)
