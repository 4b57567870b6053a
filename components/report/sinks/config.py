"""Configuration of the sinks."""

from __future__ import annotations

import urllib.parse

from pydantic import Field, field_validator

from common.settings import Settings


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
        address = urllib.parse.urlsplit(value)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError(f"{value!r} is not the address of a server, such as http://localhost:5000")
        if address.username or address.password:
            raise ValueError(
                "the address must not hold credentials: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        return value


class SinksConfig(Settings):
    """Where else a run's results go. A sink that fails is reported, and never fails a run."""

    mlflow: MLflowSink | None = Field(default=None, description="MLflow; needs the extra `segpipe[mlflow]`.")
