"""Check of the sinks before a run begins."""

from __future__ import annotations

import importlib.util

from common.errors import UserError
from components.report.sinks.config import SinksConfig


def check_sinks(sinks: SinksConfig) -> None:
    """Checks before a run that the packages of all sinks are installed.

    Raises:
        UserError: one is not.
    """
    if sinks.mlflow and importlib.util.find_spec("mlflow") is None:
        raise UserError("sinks.mlflow: MLflow's client is not installed; pip install 'segpipe[mlflow]'")
