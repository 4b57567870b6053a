"""One registry of two versions, made once; each test that changes it has its own copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.compatibility import skip_autograph_for_keras
from registry.store import Registry
from tests.support.serving import Hosted, make_registry


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version 1 finds class 1 everywhere, version 2 class 2; version 1 is served."""
    skip_autograph_for_keras()
    folder = tmp_path_factory.mktemp("exported") / "registry"
    make_registry(folder, labels=(1, 2))
    return folder


@pytest.fixture
def registry(exported: Path, tmp_path: Path) -> Registry:
    """A copy that the test may change."""
    shutil.copytree(exported, tmp_path / "registry")
    return Registry(str(tmp_path / "registry"))


@pytest.fixture(scope="session")
def server(exported: Path) -> Iterator[Hosted]:
    """A server that nobody changes; it serves version 1."""
    with Hosted(Registry(str(exported))) as hosted:
        yield hosted


@pytest.fixture
def host() -> Iterator[Callable[..., Hosted]]:
    """Starts servers that end with the test."""
    started: list[Hosted] = []

    def start(*arguments: object, **settings: object) -> Hosted:
        started.append(Hosted(*arguments, **settings))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for hosted in started:
        hosted.__exit__()
