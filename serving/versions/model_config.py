"""`models.config`, by which TensorFlow Serving is told which versions to hold and what their labels mean.

Needs the generated message alone, and no TensorFlow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2


class Told(NamedTuple):
    """What one configuration says of the one model."""

    model: str
    versions: frozenset[int]
    labels: dict[str, int]


def model_config(
    name: str, base_path: str, versions: Collection[int], labels: Mapping[str, int]
) -> model_server_config_pb2.ModelServerConfig:
    """The configuration that holds exactly `versions` of the one model, under `labels`."""
    config = model_server_config_pb2.ModelServerConfig()
    model = config.model_config_list.config.add(name=name, base_path=base_path, model_platform="tensorflow")
    model.model_version_policy.specific.versions.extend(sorted(versions))
    model.version_labels.update(labels)
    return config


def to_text(told: Told, base_path: str) -> str:
    """The file's text; `base_path` is the folder that holds the versions."""
    return text_format.MessageToString(model_config(told.model, base_path, told.versions, told.labels))


def from_text(text: str) -> Told | None:
    """What a file says; `None` if it is not one that `to_text` has made."""
    try:
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
        (model,) = config.model_config_list.config
    except (text_format.ParseError, ValueError):
        return None
    return Told(model.name, frozenset(model.model_version_policy.specific.versions), dict(model.version_labels))
