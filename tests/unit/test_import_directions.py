"""Imports point one way: pipeline → components → serving → registry → common.

`segpipe_client` imports nothing of the project; all above the registry may import it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.dag.import_closure import PACKAGES, imported_modules

ROOT = Path(__file__).resolve().parents[2]

PLAIN = {path.stem for path in (ROOT / "components").glob("*.py")}
"""Modules beside the steps' folders, which belong to no step."""

MAY_IMPORT = {
    "pipeline": {"components", "serving", "segpipe_client", "registry", "common"},
    "components": {"segpipe_client", "registry", "common"},
    "serving": {"segpipe_client", "registry", "common"},
    "segpipe_client": set(),
    "registry": {"common"},
    "common": set(),
}

SHARED = {
    "baseline": {"fetching"},
    "cross_validator": {"result"},
    "data_gate": {"result"},
    "evaluator": {
        "config",
        "counts",
        "estimates",
        "families",
        "model_counts",
        "out_of_fold",
        "reference",
        "results",
        "thresholds",
        "wording",
    },
    "example_gen": {
        "band_images",
        "bands_config",
        "causes",
        "check",
        "config",
        "files",
        "georeference",
        "globs",
        "label_lines",
        "quarantine",
        "rejection",
        "source_fields",
    },
    "pusher": {"pushing", "result"},
    "serving_check": {"result"},
    "trainer": {
        "arguments",
        "augmentation",
        "architectures",
        "config",
        "divergence",
        "export",
        "history",
        "hyperparameters",
        "inference",
        "input_pipeline",
        "losses",
        "models",
        "strategy",
        "tensorboard",
        "training",
        "warm_start",
    },
    "transform": {"bands", "config", "features", "image_ops", "picture_statistics", "pixel_format", "pixel_source"},
}
"""Step → its modules that other steps may import: results, settings, and arithmetic that has to be the same."""


def edges(package: str) -> Iterator[tuple[str, str]]:
    """Each file of a package, and each module of the project that it imports."""
    for path in sorted((ROOT / package).rglob("*.py")):
        for module in sorted(imported_modules(path, ROOT)):
            yield path.relative_to(ROOT).as_posix(), module


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_what_lies_below_it(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = {(path, module) for path, module in edges(package) if module.split(".")[0] not in allowed}
    assert not wrong


def test_steps_import_of_each_other_what_is_meant_for_others() -> None:
    wrong = set()
    for path, module in edges("components"):
        own, names = path.split("/")[1], module.split(".")
        if len(names) < 3 or names[0] != "components" or names[1] in {own, *PLAIN}:
            continue
        if own.endswith(".py") or names[2] not in SHARED.get(names[1], set()):
            wrong.add((path, module))
    assert not wrong
