"""k8s/README.md says nothing that is not so."""

from __future__ import annotations

import re
import shlex
import textwrap

import pytest
import yaml

from components.report.sinks.config import SinksConfig
from pipeline.kubeflow.config import KubeflowConfig
from tests.support.manifests import K8S, OVERLAYS, of_kind

GUIDE = (K8S / "README.md").read_text()


def _blocks(language: str) -> list[str]:
    return [
        textwrap.dedent(text) for text in re.findall(rf"^ *```{language}\n(.*?)^ *```", GUIDE, re.MULTILINE | re.DOTALL)
    ]


def _commands() -> list[list[str]]:
    return [shlex.split(line) for block in _blocks("sh") for line in block.replace("\\\n", " ").splitlines()]


def test_every_path_is_there() -> None:
    paths = set(re.findall(r"(?<![\w/.])((?:k8s|pipeline/configs|scripts|tests)/[\w./-]*[\w])", GUIDE))
    assert {f"k8s/overlays/{overlay}" for overlay in OVERLAYS} <= paths
    for path in paths:
        assert (K8S.parent / path).exists(), path


def test_configurations_are_valid() -> None:
    given = {key: value for block in _blocks("yaml") for key, value in yaml.safe_load(block).items()}
    assert KubeflowConfig.model_validate(given.pop("kubeflow")).steps["trainer"].accelerator
    assert SinksConfig.model_validate(given.pop("sinks")).kubeflow_hub
    assert not given


def test_commands_of_segpipe_are_there() -> None:
    pytest.importorskip("pipeline.cli.kubeflow_commands", reason="the commands that speak to a cluster are not there")
    from pipeline.cli.main import cli

    ours = [command for command in _commands() if command[:1] == ["segpipe"]]
    assert ours
    for command in ours:
        known = cli.commands[command[1]]
        options = {option for parameter in known.params for option in parameter.opts}
        assert {word for word in command if word.startswith("--")} <= options, command


def test_make_targets_are_there() -> None:
    makefile = (K8S.parent / "Makefile").read_text()
    for target in set(re.findall(r"\bmake ([a-z-]+)", GUIDE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_jobs_that_are_waited_for_are_there() -> None:
    waited = set(re.findall(r"job/([\w-]+)", GUIDE))
    jobs = {job["metadata"]["name"] for overlay in OVERLAYS for job in of_kind(overlay, "Job")}
    assert waited == jobs


def test_the_image_of_kind_is_the_one_that_is_loaded() -> None:
    (loaded,) = (command[3] for command in _commands() if command[:3] == ["kind", "load", "docker-image"])
    (job,) = of_kind("kind", "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["image"] == loaded
