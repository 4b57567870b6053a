"""SavedModels that a worker process loads once, whichever steps of a pipeline call them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy.typing as npt
import tensorflow as tf
from apache_beam.utils.shared import Shared

Outputs = dict[str, npt.NDArray[Any]]


class LoadedModels:
    """The models of a process by their folders."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._models = {folder: tf.saved_model.load(folder) for folder in folders}

    def call(self, folder: str, signature: str, **inputs: tf.Tensor) -> Outputs:
        """Returns the outputs of a model's signature by name."""
        outputs = self._models[folder].signatures[signature](**inputs)
        return {name: value.numpy() for name, value in outputs.items()}


class SharedModels:
    """What a `DoFn` keeps of models: it is pickled, and `acquire` in `setup` gives all of a process the same ones."""

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = tuple(folders)
        self._shared = Shared()

    def acquire(self) -> LoadedModels:
        """Returns the loaded models, which stay for as long as a step keeps them."""
        return self._shared.acquire(lambda: LoadedModels(self._folders))
