"""SavedModel in this process, as in TensorFlow Serving: one graph, one session.

Unlike the functions of `tf.saved_model.load`, a session stops at a deadline and frees its memory when it is closed.
"""

from __future__ import annotations

import gc
import io
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from grpc import StatusCode
from PIL import Image
from tensorflow.core.protobuf import meta_graph_pb2, rewriter_config_pb2
from tensorflow_serving.apis import prediction_log_pb2

from common.band_image import pack_plain
from common.decompression_bomb import PNG_START, TOO_MUCH_DATA, inflates_too_far
from common.signatures import SERVING_DEFAULT, SERVING_PIXELS, WARMUP_FILE
from segpipe_client.errors import shortened
from serving.errors import ServingError, from_tensorflow, invalid, refused
from serving.protocol.tensors import strings_from_proto

_WARMUP_RECORDS = 1000
_WARMUP_SECONDS = 120

Outputs = dict[str, np.ndarray]


class Signature:
    """Signature of a model: byte strings [B] in, tensors out."""

    def __init__(self, name: str, definition: meta_graph_pb2.SignatureDef) -> None:
        self.name = name
        self._definition = definition
        self.outputs = tuple(sorted(definition.outputs))

    @property
    def input(self) -> str:
        """Name of the only input.

        Raises:
            ServingError: the input is not a batch of byte strings; segmentation models have no such signature.
        """
        inputs = self._definition.inputs
        names = list(inputs)
        if len(names) != 1 or inputs[names[0]].dtype != tf.string.as_datatype_enum:
            raise ServingError(
                StatusCode.UNIMPLEMENTED,
                f"signature {self.name} does not take a batch of byte strings, so it cannot be called; send encoded "
                f"images, or samples as segpipe_client.Bands packs them, to {SERVING_DEFAULT}",
            )
        return names[0]

    def asked(self, output_filter: Sequence[str]) -> tuple[str, ...]:
        """Returns the requested outputs: those in the filter, or all (servables/tensorflow/predict_util.cc).

        Raises:
            ServingError: the filter names an unknown output, or one twice.
        """
        for index, name in enumerate(output_filter):
            if name not in self.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {shortened(name)} Outputs expected to be in the set "
                    f"{{{','.join(self.outputs)}}}."
                )
            if name in output_filter[:index]:
                raise invalid(f"duplicate output tensor alias: {shortened(name)}")
        return tuple(output_filter) or self.outputs

    def input_spec(self) -> tf.TensorSpec:
        """Returns shape and type of the only input, whatever it is."""
        (found,) = self._definition.inputs.values()
        return tf.TensorSpec(tf.TensorShape(found.tensor_shape), found.dtype)

    def tensor_names(self) -> tuple[str, list[str]]:
        """Returns the graph's tensor names of the input and the outputs."""
        definition = self._definition
        return definition.inputs[self.input].name, [definition.outputs[name].name for name in self.outputs]


class Model:
    """Loaded version.  Its methods block, and may be called from several threads."""

    def __init__(self, folder: str) -> None:
        """Loads the SavedModel in `folder`, which is not needed afterwards.

        Raises:
            ServingError: TensorFlow cannot load it.
        """
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph, config=_session_config())
        self._calls: dict[str, Callable[..., list[np.ndarray]]] = {}
        try:
            with graph.as_default():
                meta = tf.compat.v1.saved_model.load(self._session, [tf.saved_model.SERVING], folder)
        except (tf.errors.OpError, OSError, ValueError, RuntimeError) as error:
            self._session.close()
            raise ServingError(
                StatusCode.INTERNAL, f"TensorFlow cannot load it: {str(error).splitlines()[0]}"
            ) from None
        self.definitions: dict[str, meta_graph_pb2.SignatureDef] = dict(meta.signature_def)

    def signature(self, name: str) -> Signature | None:
        """Returns the signature of that name; an empty name means `serving_default`."""
        name = name or SERVING_DEFAULT
        definition = self.definitions.get(name)
        return None if definition is None else Signature(name, definition)

    def run(self, signature: Signature, inputs: Sequence[bytes], seconds: float) -> Outputs:
        """Returns all outputs of the signature for the byte strings `inputs`; the first axis is the batch.

        It computes all outputs even if a client requests some: TensorFlow optimises the graph for each other set of
        outputs, which takes seconds, and requests with different sets could not share a batch.

        Raises:
            ServingError: the graph refuses an input, or it takes longer than `seconds`.
        """
        ends = time.monotonic() + seconds
        for index, encoded in enumerate(inputs):
            if _inflates_too_far(encoded):
                raise refused(TOO_MUCH_DATA, index, len(inputs))
        try:
            return self._run(signature, inputs, ends)
        except ServingError as error:
            if error.code is not StatusCode.INVALID_ARGUMENT or len(inputs) == 1:
                raise
            raise self._first_refusal(signature, inputs, ends) or error from None

    def _run(self, signature: Signature, inputs: Sequence[bytes], ends: float) -> Outputs:
        milliseconds = max(1, round((ends - time.monotonic()) * 1000))
        options = tf.compat.v1.RunOptions(timeout_in_ms=milliseconds)
        batch_B = np.array(inputs, dtype=object)
        try:
            return dict(zip(signature.outputs, self._call(signature)(batch_B, options=options), strict=True))
        except tf.errors.OpError as error:
            raise from_tensorflow(error.error_code, error.message) from None

    def _first_refusal(self, signature: Signature, inputs: Sequence[bytes], ends: float) -> ServingError | None:
        """Finds which image is refused, and why: the graph fails with its first failing op, without the image's index.

        Images are run one by one. `serving_each` would need one call, but its first call takes TensorFlow seconds.
        """
        for index, encoded in enumerate(inputs):
            try:
                self._run(signature, [encoded], ends)
            except ServingError as error:
                refusal = error.code is StatusCode.INVALID_ARGUMENT
                return refused(error.message, index, len(inputs)) if refusal else None
        return None

    def close(self) -> None:
        """Frees the memory: a graph has many reference cycles, which Python would collect late."""
        self._session.close()
        self._calls.clear()
        del self._session
        gc.collect()

    def _call(self, signature: Signature) -> Callable[..., list[np.ndarray]]:
        if signature.name not in self._calls:
            feed, fetches = signature.tensor_names()
            self._calls[signature.name] = self._session.make_callable(fetches, [feed], accept_options=True)
        return self._calls[signature.name]


def warm_up(model: Model, folder: str) -> int:
    """Runs the version's warm-up requests, or one small image; returns their number.

    Raises:
        ServingError: a request fails, so the model would fail for clients too.
    """
    requests = list(_recorded_requests(folder))
    for signature_name, inputs in requests or [(SERVING_DEFAULT, [_picture(model)])]:
        signature = model.signature(signature_name)
        if signature is None:
            raise ServingError(StatusCode.FAILED_PRECONDITION, f'Serving signature key "{signature_name}" not found.')
        model.run(signature, inputs, _WARMUP_SECONDS)
    return len(requests)


def _session_config() -> tf.compat.v1.ConfigProto:
    """Optimises the graph once: a second pass finds next to nothing, and takes as long again before the first answer.

    What is left out for the same reason trades time for a GPU's memory, in training.
    """
    rewriter = rewriter_config_pb2.RewriterConfig
    options = rewriter(meta_optimizer_iterations=rewriter.ONE, memory_optimization=rewriter.NO_MEM_OPT)
    return tf.compat.v1.ConfigProto(
        gpu_options=tf.compat.v1.GPUOptions(allow_growth=True),
        graph_options=tf.compat.v1.GraphOptions(rewrite_options=options),
    )


def _inflates_too_far(encoded: bytes) -> bool:
    """Whether libpng would inflate the PNG for minutes, which the graph cannot detect and no deadline stops."""
    if not encoded.startswith(PNG_START):
        return False
    width, height = (int.from_bytes(encoded[place : place + 4], "big") for place in (16, 20))
    return inflates_too_far(encoded, width * height)


def _recorded_requests(folder: str) -> Iterator[tuple[str, list[bytes]]]:
    """Yields signatures and inputs, as in servables/tensorflow/saved_model_warmup_util.cc."""
    path = Path(folder) / WARMUP_FILE
    if not path.is_file():
        return
    for index, record in enumerate(tf.data.TFRecordDataset(str(path)).as_numpy_iterator()):
        if index >= _WARMUP_RECORDS:
            raise invalid(f"{WARMUP_FILE} has more than {_WARMUP_RECORDS} records")
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        for name, tensor in request.inputs.items():
            yield request.model_spec.signature_name, strings_from_proto(name, tensor, _WARMUP_RECORDS)


def _picture(model: Model) -> bytes:
    """Returns a small image that the model takes."""
    if of_bands := model.signature(SERVING_PIXELS):
        spec = of_bands.input_spec()
        return pack_plain(np.zeros([64, 64, spec.shape[-1]], spec.dtype.as_numpy_dtype))
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "grey").save(out, "PNG")
    return out.getvalue()
