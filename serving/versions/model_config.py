"""`models.config`, TensorFlow Serving's configuration of versions and labels.

It needs only the generated protobuf message, not TensorFlow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2


class ServingConfig(NamedTuple):
    """Content of `models.config` for the one model."""

    model: str
    versions: frozenset[int]
    labels: dict[str, int]


def model_config(
    name: str, base_path: str, versions: Collection[int], labels: Mapping[str, int]
) -> model_server_config_pb2.ModelServerConfig:
    """Returns the configuration with exactly `versions` of the one model, under `labels`."""
    config = model_server_config_pb2.ModelServerConfig()
    model = config.model_config_list.config.add(name=name, base_path=base_path, model_platform="tensorflow")
    model.model_version_policy.specific.versions.extend(sorted(versions))
    model.version_labels.update(labels)
    return config


def to_text(config: ServingConfig, base_path: str) -> str:
    """Formats the file; `base_path` is the folder of the versions."""
    return text_format.MessageToString(model_config(config.model, base_path, config.versions, config.labels))


def from_text(text: str) -> ServingConfig | None:
    """Parses a file; `None` if `to_text` has not written it."""
    try:
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
        (model,) = config.model_config_list.config
    except (text_format.ParseError, ValueError):
        return None
    return ServingConfig(
        model.name, frozenset(model.model_version_policy.specific.versions), dict(model.version_labels)
    )
