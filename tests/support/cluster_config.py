"""Configurations for a cluster, made of few words."""

from __future__ import annotations

from typing import Any

from pipeline.config.run_config import RunConfig, make_config

DATA = {"source": {"type": "folders", "root": "data/pictures"}, "classes": ["background", "thing"]}


def cluster_config(kubeflow: dict[str, Any] | None = None, **more: Any) -> RunConfig:
    """A configuration named `small` whose data are in data/pictures."""
    raw = {"name": "small", "data": DATA, "kubeflow": kubeflow or {}, **more}
    return make_config(raw, (), "a test's configuration")
