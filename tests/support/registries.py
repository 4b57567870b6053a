"""Registries with versions that no one loads."""

from __future__ import annotations

from pathlib import Path

from registry.store import Registry


def registry_of_two(folder: Path, model_name: str) -> Registry:
    """A registry in `folder` with the versions 1, which is served, and 2; their models are a text."""
    return _registry_of(folder, model_name, "ab")


def registry_of_one(folder: Path, model_name: str) -> Registry:
    """A registry in `folder` with the version 1, which is served; its model is a text."""
    return _registry_of(folder, model_name, "a")


def _registry_of(folder: Path, model_name: str, texts: str) -> Registry:
    registry = Registry(str(folder / "registry"))
    for text in texts:
        model = folder / text
        model.mkdir()
        (model / "saved_model.pb").write_text(text)
        registry.push(
            str(model),
            model_name=model_name,
            data_fingerprint="d",
            baseline_version=None,
            metrics={},
            config={},
            software={},
        )
    registry.serve(1)
    return registry
