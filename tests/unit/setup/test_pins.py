"""The pins of both sets against the ranges of setup.py, and against what is installed here."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import setuptools
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

import pipeline
import segpipe_client
from pipeline.dag.import_closure import PACKAGES

ROOT = Path(__file__).resolve().parents[3]
CLIENT_BUILD = {"LICENSE", "README.md", "pyproject.toml", "requirements.txt", "requirements-grpc.txt"}
"""Files beside the client's code that its own distribution is built from, and that no code reads."""
SETS = [("tfx-1.16", "3.10"), ("tfx-1.21", "3.11"), ("tfx-1.21", "3.12"), ("tfx-1.21", "3.13")]


@pytest.fixture(scope="module")
def distribution() -> dict[str, Any]:
    """What setup.py tells setuptools."""
    told: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(setuptools, "setup", lambda **arguments: told.update(arguments))
        runpy.run_path("setup.py")
    return told


def pins(name: str, python: str) -> dict[str, Requirement]:
    lines = (ROOT / "constraints" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    here = [pin for pin in requirements if pin.marker is None or pin.marker.evaluate(environment)]
    by_name = {canonicalize_name(pin.name): pin for pin in here}
    assert len(by_name) == len(here), "one pin a package"
    return by_name


def version_of(pin: Requirement) -> str:
    (specifier,) = pin.specifier
    assert specifier.operator == "==", f"{pin} is no exact pin"
    return specifier.version


def requirements(told: dict[str, Any], python: str) -> Iterator[Requirement]:
    environment = {**default_environment(), "python_version": python}
    for text in [*told["install_requires"], *(text for extra in told["extras_require"].values() for text in extra)]:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield requirement


@pytest.mark.parametrize(("name", "python"), SETS)
def test_both_sets_satisfy_the_ranges(distribution, name, python):
    pinned = pins(name, python)
    for requirement in requirements(distribution, python):
        pin = pinned.get(canonicalize_name(requirement.name))
        assert pin, f"{requirement.name} has no pin"
        assert requirement.specifier.contains(version_of(pin), prereleases=True), f"{pin} is outside of {requirement}"


@pytest.mark.parametrize(("name", "python"), SETS)
def test_the_distribution_admits_the_pythons_of_both_sets(distribution, name, python):
    assert SpecifierSet(distribution["python_requires"]).contains(f"{python}.1")


def test_all_that_is_installed_for_segpipe_is_pinned(distribution):
    tfx = metadata.version("tfx")
    python = default_environment()["python_version"]
    pinned = pins("tfx-1.16" if tfx == "1.16.0" else "tfx-1.21", python)
    extras = distribution["extras_require"]
    wanted = [*distribution["install_requires"], *extras["test"], *extras["docs"], *extras["geo"]]
    unlike = {
        name: version
        for name, version in installed_closure(wanted).items()
        if name not in pinned or version_of(pinned[name]) != version
    }
    assert unlike == {}


def installed_closure(wanted: list[str]) -> dict[str, str]:
    """Every distribution that the requirements reach in this environment, with its version."""
    reached: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    to_visit = [Requirement(text) for text in wanted]
    while to_visit:
        requirement = to_visit.pop()
        extras = frozenset(requirement.extras)
        name = canonicalize_name(requirement.name)
        if (name, extras) in seen or not applies(requirement, frozenset()):
            continue
        seen.add((name, extras))
        installed = metadata.distribution(name)
        reached[name] = installed.version
        further = [Requirement(text) for text in installed.requires or []]
        for item in further:
            if applies(item, extras):
                item.marker = None
                to_visit.append(item)
    return reached


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    return requirement.marker is None or any(
        requirement.marker.evaluate({**default_environment(), "extra": extra}) for extra in extras | {""}
    )


def test_the_version_is_the_packages_own_and_the_client_s(distribution):
    assert distribution["version"] == pipeline.__version__ == segpipe_client.__version__


def test_segpipe_needs_what_its_client_needs(distribution):
    lists = [ROOT / "segpipe_client" / name for name in ("requirements.txt", "requirements-grpc.txt")]
    needed = {line for path in lists for line in path.read_text().splitlines()}
    assert needed <= set(distribution["install_requires"])
    assert {Requirement(text).name for text in needed} == {"grpcio", "httpx", "numpy", "pillow", "protobuf"}


def test_the_client_s_distribution_has_the_licence():
    assert (ROOT / "segpipe_client" / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_every_file_of_the_packages_is_shipped(distribution):
    shipped = {
        path
        for package, patterns in distribution["package_data"].items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    folders = [ROOT / package.replace(".", "/") for package in distribution["packages"]]
    tops = {folder for folder in folders if folder.parent == ROOT}
    assert {folder.name for folder in tops} == {*PACKAGES, "schemas"}
    for top in tops:
        for path in top.rglob("*"):
            if path.is_dir() or "__pycache__" in path.parts or path.name == ".DS_Store":
                continue
            if path.parent == ROOT / "segpipe_client" and path.name in CLIENT_BUILD:
                continue
            assert path in shipped or (path.suffix == ".py" and path.parent in folders), f"{path} is not shipped"
