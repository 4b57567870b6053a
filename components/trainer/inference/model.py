"""The exported model and its signatures.

`serving_default`: encoded images in; PNG index masks at their own sizes, class fractions and names,
and mean confidence out.  One rejected image fails the request.
A photograph is turned upright by its Exif data, and its mask is upright, as in every viewer.
`serving_each`: the same, but a rejected image fails no other: `errors` has a message for each.
`serving_pixels`, of a model for images of bands: as `serving_default`, from raw samples.
`serving_tiles`, of a model that slides its window at the images' own resolution: tiles of a scene in, probabilities
out; who calls it walks the scene and blends the tiles as `tiling.py` does.  `serving_values`: see there.
`serving_inputs`: pixels at the model's input size in, the class of each pixel and the probabilities out.
`serving_arrays`, of a model that resizes images: the same of any one size.  Other formats are made of these two.
`probabilities`: encoded images in, probabilities at the model's size out, whatever the mode.
`evaluate`: ingested records in, a confusion matrix of pixel counts for each out, by the same path as serving and at
the images' own sizes: the counts of the masks that an app receives.
`evaluate_masks`: the same with the masks, for metrics of boundaries and objects, and with sums of confidence and right
pixels by class and bin, for calibration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from common import records
from common.confusion import confusion_counts_BCC
from common.reliability import reliability_sums
from common.signatures import (
    CLASS_FRACTIONS,
    CLASS_NAMES,
    CONFIDENCE_BINS,
    CONFUSION,
    ERRORS,
    EXAMPLES,
    IMAGE,
    MASK,
    MASK_BYTES,
    MEAN,
    MEAN_CONFIDENCE,
    PIXELS,
    PROBABILITIES,
    RELIABILITY,
    RELIABILITY_SUMS,
    SERVING_ARRAYS,
    SERVING_INPUTS,
    SERVING_PIXELS,
    SERVING_TILES,
    SERVING_VALUES,
    SIGNATURES,
    STD,
    TILES,
    VALUES,
)
from common.traced_once import traced_once
from components.trainer.inference.arrays import (
    array_statistics,
    fit_to_input,
    most_likely_at_own_size_BHW,
    most_likely_BHW,
)
from components.trainer.inference.config import InferenceConfig
from components.trainer.inference.graph_try import graph_try
from components.trainer.inference.header import LOOKED, Looked, first_of, over_limit
from components.trainer.inference.image_reader import encode_bands, image_reader
from components.trainer.inference.postprocess import Answer, Argmax, answer_spec, at_own_size, encode_mask, make_answer
from components.trainer.inference.test_time_augmentation import Network, with_test_time_augmentation
from components.trainer.inference.tiling import Decided, Judged, decide_in_tiles, judge_in_tiles, tiled_size
from components.trainer.predictions import mean_probabilities_BHWC
from components.transform import features
from components.transform.bands import scaled_values
from components.transform.config import TransformConfig
from components.transform.image_ops import decode_mask, images_from_bytes, placement, resize_image, to_bytes
from components.transform.picture_statistics import batch_statistics, normalised, picture_statistics
from components.transform.pixel_source import RGB_SOURCE, PixelSource

WHOLE = InferenceConfig()
"""Default inference mode: whole images, without test-time augmentation."""

Judge = Callable[[tf.Tensor, tf.Tensor], dict[str, tf.Tensor]]
"""Outputs of an image, from what is predicted from (probabilities at the model's size, or the encoded image if it is
predicted by tiles) and its truth [H, W]."""


def _graph(name: str) -> Callable[[Callable[..., Any]], Any]:
    """Decorates a method as a graph of a string batch called `name`; AutoGraph would take longer than the tracing."""
    return tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=name)], autograph=False)


class ServedModel(tf.Module):
    """One or several networks, whose probabilities are averaged, with the transform graph of their training records."""

    def __init__(
        self,
        networks: Sequence[keras.Model],
        transform_layer: keras.layers.Layer,
        transform: TransformConfig,
        classes: Sequence[str],
        max_pixels: int,
        inference: InferenceConfig = WHOLE,
        source: PixelSource = RGB_SOURCE,
    ) -> None:
        super().__init__(name="segpipe")
        # Weights and a plain function: a Keras model as an attribute would be saved as one, with an unused trace of
        # each of its layers.
        self._weights = [weight for network in networks for weight in network.weights]
        self.members = len(networks)
        traced = traced_once(tf.TensorSpec([None, transform.height, transform.width, source.pixels.bands], tf.float32))
        network = traced(lambda image_BHWC: mean_probabilities_BHWC(networks, image_BHWC))
        self._network = with_test_time_augmentation(
            lambda image_BHWC: network(tf.cast(image_BHWC, tf.float32)), inference.flips
        )
        self._transform_layer = transform_layer
        self._transform = transform
        self.class_names = tuple(classes)
        self._num_classes = len(classes)
        self._max_pixels = max_pixels
        self._inference = inference
        self._pixels = source.pixels
        self._limits = source.limits
        self._reader = image_reader(source)

    @_graph(IMAGE)
    def serving_default(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Masks at the images' own sizes: `mask_bytes` [B] PNG, `class_fractions` and `class_names` [B, C],
        `mean_confidence` [B].

        The names are repeated for each image, because TensorFlow Serving offers no other place for them that belongs
        to the responding version, and splits every output along the batch.

        TensorFlow Serving's REST API gives an output in base64 only if its name ends in `_bytes` (util/json_tensor.cc,
        `IsNamedTensorBytes`); a PNG under any other name would make the response invalid JSON.
        """
        encoded_B, size_B2 = self._checked(image)
        return self._outputs(self._answers(encoded_B, size_B2))

    @_graph(IMAGE)
    def serving_each(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `serving_default`, with `errors` [B], a sentence for each rejected image, and "" for the others.

        A rejected image has an empty `mask_bytes`, fractions of 0 and a confidence of 0.
        """
        size_B2, refusal_B = tf.map_fn(
            lambda encoded: graph_try(
                self._look_through_one, encoded, Looked(tf.constant([1, 1]), self._reader.undecodable(encoded))
            ),
            image,
            fn_output_signature=LOOKED,
            parallel_iterations=1,
        )
        fine_B = refusal_B == ""
        answers = self._answers(
            tf.where(fine_B, image, self._reader.one_pixel()), tf.where(fine_B[:, tf.newaxis], size_B2, 1)
        )
        kept = Answer(
            tf.where(fine_B, answers.mask, ""),
            tf.where(fine_B[:, tf.newaxis], answers.class_fractions_C, 0),
            tf.where(fine_B, answers.mean_confidence, 0),
        )
        return self._outputs(kept) | {ERRORS: refusal_B}

    def serving_pixels(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `serving_default`, of the samples [B, H, W, C] of images of bands, which must have one size."""
        return self.serving_default(tf.map_fn(encode_bands, pixels, fn_output_signature=tf.string))

    def serving_tiles(
        self, tiles: tf.Tensor, mean: tf.Tensor | None = None, std: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """`probabilities` [N, H, W, C] of tiles of a scene, from their samples; `mean` and `std` are the scene's."""
        network = self._network if mean is None else self._normalising(mean, std)
        return {PROBABILITIES: network(self._scaled(tiles))}

    def serving_values(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """`values` [N, C] in 0…255 that the network gets for the samples of bands, for a scene's statistics."""
        return {VALUES: self._scaled(pixels)}

    def serving_inputs(
        self, pixels: tf.Tensor, mean: tf.Tensor | None = None, std: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """`mask` [B, H, W] and `probabilities` [B, H, W, C] of images, or tiles of them, of the model's input size.

        `mean` and `std` are those of the image that the tiles are cut from, if the model slides its window and images
        are normalised by their own statistics.
        """
        probabilities_BHWC = self._of_arrays(tf.cast(self._scaled(pixels), tf.float32), mean, std)
        return {MASK: most_likely_BHW(probabilities_BHWC), PROBABILITIES: probabilities_BHWC}

    def serving_arrays(self, pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        """`mask` [B, h, w] of images [B, h, w, C] of one size, and `probabilities` [B, H, W, C] at the model's."""
        size_2 = tf.shape(pixels)[1:3]
        place = placement(size_2, *self._tile_2, self._transform.aspect)
        probabilities_BHWC = self._of_arrays(fit_to_input(self._scaled(pixels), place, self._tile_2))
        mask_BHW = most_likely_at_own_size_BHW(probabilities_BHWC, place, size_2)
        return {MASK: mask_BHW, PROBABILITIES: probabilities_BHWC}

    def exported(self) -> dict[str, Any]:
        """Returns the concrete function of each signature: those of every model, and those of its mode and bands."""
        functions = {name: getattr(self, name).get_concrete_function() for name in SIGNATURES}
        for name, specs in self._own_signatures().items():
            graph = tf.function(getattr(self, name), input_signature=specs, autograph=False)
            functions[name] = graph.get_concrete_function()
        return functions

    def _own_signatures(self) -> dict[str, list[tf.TensorSpec]]:
        """Returns the inputs of each signature that depends on the mode and the bands."""
        bands, depth = self._pixels.bands, self._pixels.depth
        tile = self._samples(TILES, None, *self._tile_2)
        statistics = [tf.TensorSpec([bands], tf.float32, name=name) for name in (MEAN, STD)]
        of_scene = statistics if self._is_tiled and self._transform.by_picture else []
        own = {SERVING_INPUTS: [self._samples(PIXELS, None, *self._tile_2), *of_scene]}
        if not self._is_tiled:
            own[SERVING_ARRAYS] = [self._samples(PIXELS, None, None, None)]
        if depth is not None:
            own[SERVING_PIXELS] = [self._samples(PIXELS, None, None, None)]
        if self._is_tiled and self._inference.scale == 1:
            own[SERVING_TILES] = [tile, *of_scene]
        if of_scene and depth is not None:
            own[SERVING_VALUES] = [self._samples(PIXELS, None)]
        return own

    def _samples(self, name: str, *shape: int | None) -> tf.TensorSpec:
        """Returns an input of samples of the images' type, [*shape, bands]."""
        return tf.TensorSpec([*shape, self._pixels.bands], self._pixels.depth or tf.uint8, name=name)

    @_graph(IMAGE)
    def probabilities(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """`probabilities` [B, H, W, C] of the images as a whole, at the model's size."""
        image_BHWC, _ = self._seen(*self._checked(image))
        return {PROBABILITIES: self._whole(image_BHWC)}

    @_graph(EXAMPLES)
    def evaluate(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """`confusion` int64 [B, C·C]: pixels counted as [truth][prediction], void ones left out.

        The pixels are those of the image itself, at its own size.
        """
        return self._judged(examples, self._with_counts, (CONFUSION,))

    @_graph(EXAMPLES)
    def evaluate_masks(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        """As `evaluate`, with `mask_bytes` [B] and `reliability` [B, C, bins, sums].

        The predicted masks are PNG, void pixels of the truth included; the sums leave those out.
        """
        return self._judged(examples, self._with_masks, (CONFUSION, MASK_BYTES, RELIABILITY))

    def _trackable_children(self, save_type: str = "checkpoint", **kwargs: Any) -> Any:
        """Objects saved beside the signatures: weights and assets, not the methods.

        As attributes of the saved object the methods would each be traced once more, without use.
        """
        del save_type
        return super()._trackable_children("checkpoint", **kwargs)

    def _whole(self, image_BHWC: tf.Tensor) -> tf.Tensor:
        """Returns the probabilities of whole images at the model's size, uint8."""
        if self._transform.by_picture:
            image_BHWC = normalised(image_BHWC, *batch_statistics(image_BHWC))
        return self._network(image_BHWC)

    def _of_arrays(
        self, image_BHWC: tf.Tensor, mean: tf.Tensor | None = None, std: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Returns the probabilities of arrays at the model's size, by operations that other formats have too."""
        if mean is not None:
            return self._normalising(mean, std)(image_BHWC)
        if self._transform.by_picture:
            image_BHWC = normalised(image_BHWC, *array_statistics(image_BHWC))
        return self._network(image_BHWC)

    @property
    def _is_tiled(self) -> bool:
        return self._inference.mode == "tile"

    @property
    def _tile_2(self) -> tuple[int, int]:
        return self._transform.height, self._transform.width

    def _look_at_one(self, encoded: tf.Tensor) -> Looked:
        """Returns an image's size and rejection."""
        size_2, refusal = self._reader.look(encoded, self._max_pixels)
        if not self._is_tiled:
            return Looked(size_2, refusal)
        tiled_2 = tiled_size(size_2, self._tile_2, self._inference.scale)
        limit = max(self._max_pixels, self._transform.height * self._transform.width)
        too_large = over_limit(tiled_2, limit, "scaled and filled up to whole tiles, height and width")
        return Looked(size_2, first_of([refusal, too_large]))

    def _look_through_one(self, encoded: tf.Tensor) -> Looked:
        """As `_look_at_one`, and decodes an accepted image, which fails if its pixels are damaged."""
        size_2, refusal = self._look_at_one(encoded)
        decoded = tf.cond(refusal == "", lambda: self._reader.decodes(encoded), lambda: tf.constant(False))
        return Looked(size_2, tf.where(decoded, "", refusal))

    def _checked(self, image_B: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the images and their sizes [B, 2]: nothing is decoded before every header has passed.

        Raises:
            tf.errors.InvalidArgumentError: in the graph, with the first rejection.
        """
        looked = tf.map_fn(self._look_at_one, image_B, fn_output_signature=LOOKED)
        refusals = tf.boolean_mask(looked.refusal, looked.refusal != "")
        with tf.control_dependencies([tf.debugging.Assert(tf.equal(tf.size(refusals), 0), [refusals[:1]])]):
            return tf.identity(image_B), looked.size_2

    def _outputs(self, answers: Answer) -> dict[str, tf.Tensor]:
        return {
            MASK_BYTES: answers.mask,
            CLASS_FRACTIONS: answers.class_fractions_C,
            CLASS_NAMES: tf.repeat(tf.constant([self.class_names]), tf.size(answers.mask), axis=0),
            MEAN_CONFIDENCE: answers.mean_confidence,
        }

    def _answers(self, encoded_B: tf.Tensor, size_B2: tf.Tensor) -> Answer:
        return self._tiled(encoded_B) if self._is_tiled else self._resized(encoded_B, size_B2)

    def _resized(self, encoded_B: tf.Tensor, size_B2: tf.Tensor) -> Answer:
        """Predicts whole images in one batch."""
        image_BHWC, size_B2 = self._seen(encoded_B, size_B2)
        return tf.map_fn(
            lambda of_one: self._answer_at_own_size(*of_one),
            (self._whole(image_BHWC), size_B2),
            fn_output_signature=answer_spec(self._num_classes),
            parallel_iterations=1,
        )

    def _seen(self, encoded_B: tf.Tensor, size_B2: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the network's input, [B, H, W, C], and the images' sizes [B, 2], upright.

        Images are decoded one after the other, so that memory is that of the largest, not of all.
        """

        def see(of_one: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            encoded, size_2 = of_one
            upright_file, upright_2 = self._reader.upright(encoded, size_2)
            if self._transform.crops:  # The transform graph keeps the image's own size.
                image_HWC = resize_image(self._reader.decode(upright_file), *self._tile_2, self._transform.aspect)
                return to_bytes(image_HWC), upright_2
            return self._transformed(upright_file), upright_2

        raw_B, upright_B2 = tf.map_fn(
            see,
            (encoded_B, size_B2),
            fn_output_signature=(tf.TensorSpec([], tf.string), tf.TensorSpec([2], tf.int32)),
            parallel_iterations=1,
        )
        return images_from_bytes(raw_B, *self._tile_2, self._pixels), upright_B2

    def _transformed(self, encoded: tf.Tensor) -> tf.Tensor:
        """Returns the raw pixels, string, that the transform graph makes of an image."""
        return self._transform_layer({records.IMAGE_ENCODED: encoded[tf.newaxis]})[features.IMAGE][0]

    def _answer_at_own_size(self, probabilities_HWC: tf.Tensor, size_2: tf.Tensor) -> Answer:
        best = self._best_at_own_size(probabilities_HWC, size_2)
        return make_answer(best.class_HW, tf.reduce_mean(best.confidence_HW), self._num_classes)

    def _best_at_own_size(self, probabilities_HWC: tf.Tensor, size_2: tf.Tensor) -> Argmax:
        place = placement(size_2, *self._tile_2, self._transform.aspect)
        return at_own_size(probabilities_HWC, place, size_2)

    def _tiled(self, encoded_B: tf.Tensor) -> Answer:
        """Predicts by sliding window, one image after the other, so that memory is that of the largest."""
        return tf.map_fn(
            lambda encoded: make_answer(*self._decide_in_tiles(encoded), self._num_classes),
            encoded_B,
            fn_output_signature=answer_spec(self._num_classes),
            parallel_iterations=1,
        )

    def _decide_in_tiles(self, encoded: tf.Tensor) -> Decided:
        image_HWC, network = self._image_and_network(encoded)
        return decide_in_tiles(image_HWC, network, self._tile_2, self._num_classes, self._inference)

    def _image_and_network(self, encoded: tf.Tensor) -> tuple[tf.Tensor, Network]:
        """Returns an image that is predicted by tiles, and the network that its tiles go through."""
        image_HWC = self._reader.decode(encoded)
        by_picture = self._transform.by_picture
        return image_HWC, self._normalising(*picture_statistics(image_HWC)) if by_picture else self._network

    def _normalising(self, mean_C: tf.Tensor, std_C: tf.Tensor) -> Network:
        """Returns the network behind a normalisation by the statistics of the image that its tiles are cut from."""
        return lambda tile_BHWC: self._network(normalised(tile_BHWC, mean_C[tf.newaxis], std_C[tf.newaxis]))

    def _scaled(self, samples: tf.Tensor) -> tf.Tensor:
        """Returns the pixels of samples [..., C] as the network gets them: bands are scaled to 0…255."""
        return samples if self._limits is None else scaled_values(samples, self._limits)

    def _judged(self, examples: tf.Tensor, judge: Judge, outputs: Sequence[str]) -> dict[str, tf.Tensor]:
        """Compares prediction and truth of ingested records, one after the other: memory is that of the largest.

        Args:
            examples: serialized records.
            judge: returns the outputs of one of them.
            outputs: names of the outputs.
        """
        keys = (records.IMAGE_ENCODED, records.MASK_ENCODED)
        parsed = tf.io.parse_example(examples, {key: tf.io.FixedLenFeature([], tf.string) for key in keys})
        seen = parsed[records.IMAGE_ENCODED] if self._is_tiled else self._seen_by_the_network(parsed)

        specs = {
            CONFUSION: tf.TensorSpec([self._num_classes**2], tf.int64),
            MASK_BYTES: tf.TensorSpec([], tf.string),
            RELIABILITY: tf.TensorSpec([self._num_classes, CONFIDENCE_BINS, len(RELIABILITY_SUMS)], tf.float64),
        }
        return tf.map_fn(
            lambda of_one: judge(of_one[0], decode_mask(of_one[1])),
            (seen, parsed[records.MASK_ENCODED]),
            fn_output_signature={name: specs[name] for name in outputs},
            parallel_iterations=1,
        )

    def _seen_by_the_network(self, parsed: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Returns the probabilities [B, H, W, C] of whole images at the model's size."""
        raw_B = tf.map_fn(self._transformed, parsed[records.IMAGE_ENCODED], parallel_iterations=1)
        return self._whole(images_from_bytes(raw_B, *self._tile_2, self._pixels))

    def _with_counts(self, seen: tf.Tensor, truth_HW: tf.Tensor) -> dict[str, tf.Tensor]:
        """Judges an image for `evaluate`; ingestion keeps a mask at its image's size."""
        best = self._decide_in_tiles(seen) if self._is_tiled else self._best_at_own_size(seen, tf.shape(truth_HW))
        return {CONFUSION: self._counts(truth_HW, best.class_HW)}

    def _with_masks(self, seen: tf.Tensor, truth_HW: tf.Tensor) -> dict[str, tf.Tensor]:
        """Judges an image for `evaluate_masks`."""
        class_HW, reliability_CMR = self._class_and_reliability(seen, truth_HW)
        return {
            CONFUSION: self._counts(truth_HW, class_HW),
            MASK_BYTES: encode_mask(class_HW),
            RELIABILITY: reliability_CMR,
        }

    def _class_and_reliability(self, seen: tf.Tensor, truth_HW: tf.Tensor) -> Judged:
        if self._is_tiled:
            image_HWC, network = self._image_and_network(seen)
            return judge_in_tiles(image_HWC, truth_HW, network, self._tile_2, self._num_classes, self._inference)
        best = self._best_at_own_size(seen, tf.shape(truth_HW))
        return Judged(best.class_HW, reliability_sums(truth_HW, *best, self._num_classes))

    def _counts(self, mask_HW: tf.Tensor, class_HW: tf.Tensor) -> tf.Tensor:
        counts_1CC = confusion_counts_BCC(mask_HW[tf.newaxis], class_HW[tf.newaxis], self._num_classes)
        return tf.reshape(tf.cast(counts_1CC, tf.int64), [self._num_classes**2])
