"""Configuration of the sinks."""

from __future__ import annotations

import urllib.parse
from typing import Annotated

from pydantic import Field, field_validator

from common.settings import Settings, matching


class MLflowSink(Settings):
    """A tracking server of MLflow, which gets a run with parameters, metrics, tags and the report.

    Credentials are MLflow's environment variables, such as `MLFLOW_TRACKING_TOKEN`, where the step "Write report" runs.
    """

    tracking_uri: str = Field(
        description="Address of the server, http:// or https://.", examples=["http://localhost:5000"]
    )
    experiment: str | None = Field(
        default=None, min_length=1, max_length=500, description="Name of the experiment; default: `name`."
    )
    registered_model: str | None = Field(
        default=None,
        min_length=1,
        max_length=250,
        description="Name in MLflow's model registry, under which the SavedModel of a pushed version is uploaded; "
        "default: it is not.",
    )
    timeout_seconds: int = Field(default=60, ge=1, le=3600, description="Longest wait for an answer.")

    @field_validator("tracking_uri")
    @classmethod
    def _is_a_server(cls, value: str) -> str:
        return _server(value, "http://localhost:5000", "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD")


HUB_TOKEN = "KUBEFLOW_HUB_TOKEN"  # noqa: S105  The name of a variable.
"""Environment variable with the bearer token for Kubeflow's model registry."""


class KubeflowHubSink(Settings):
    """Kubeflow's model registry (Kubeflow Hub), which gets each pushed version: its metrics, data and the model's URI.

    A bearer token is read from the environment variable `KUBEFLOW_HUB_TOKEN`, else from `token_file`, where the step
    "Write report" runs.
    """

    server: str = Field(
        description="Address of the server, http:// or https://, without `/api/model_registry`.",
        examples=["http://model-registry-service.kubeflow:8080"],
    )
    registered_model: (
        Annotated[
            str,
            matching(
                r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,249}",
                "a name: ASCII letters, digits, spaces, `.`, `_` and `-`, at most 250",
            ),
        ]
        | None
    ) = Field(default=None, description="Name of the registered model; default: `name`.")
    token_file: str | None = Field(
        default=None,
        min_length=1,
        description="File with a bearer token, such as that of the pod's service account; default: no token.",
        examples=["/var/run/secrets/kubernetes.io/serviceaccount/token"],
    )
    ca_file: str | None = Field(
        default=None, min_length=1, description="File with the certificates (PEM) to trust; default: the usual ones."
    )
    timeout_seconds: int = Field(default=60, ge=1, le=3600, description="Longest wait for an answer.")

    @field_validator("server")
    @classmethod
    def _is_a_server(cls, value: str) -> str:
        return _server(value, "http://model-registry-service.kubeflow:8080", f"set {HUB_TOKEN}").rstrip("/")


class SinksConfig(Settings):
    """Where else a run's results go. A sink that fails is reported, and never fails a run."""

    mlflow: MLflowSink | None = Field(default=None, description="MLflow; needs the extra `segpipe[mlflow]`.")
    kubeflow_hub: KubeflowHubSink | None = Field(default=None, description="Kubeflow's model registry (Kubeflow Hub).")


def _server(value: str, example: str, advice: str) -> str:
    """Returns the address of a server as it is.

    Raises:
        ValueError: it is none, or holds credentials.
    """
    address = urllib.parse.urlsplit(value)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError(f"{value!r} is not the address of a server, such as {example}")
    if address.username or address.password:
        raise ValueError(f"the address must not hold credentials: {advice}")
    return value
