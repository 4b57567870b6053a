"""A version tried out beside the served one: by the command, by the labels of the server, compared and promoted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.cli.main import cli
from registry.store import Registry
from tests.support.serving import BIRTH, Hosted, classes_in, export_tiny, picture, wait_until


def rollout(registry: Registry, *arguments: object) -> Result:
    return CliRunner().invoke(cli, ["rollout", "--registry", registry.uri, *map(str, arguments)])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(picture())
    (folder / "b.jpg").write_bytes(picture(24, 80, "JPEG"))
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_the_command_tells_and_changes_what_is_tried_out(registry: Registry) -> None:
    assert rollout(registry).output == "version 1 is served; no canary\n"
    assert "version 2 is the canary for 10% of the requests" in rollout(registry, "--canary", 10).output
    assert "for 25% of the requests" in rollout(registry, "--canary", 25).output
    assert rollout(registry, "rollback").output == "version 2 is no longer the canary; version 1 is served\n"
    refused = rollout(registry, "--canary", 10)
    assert (refused.exit_code, "name one with --version" in refused.output) == (1, True)
    assert rollout(registry, "--canary", 10, "--version", 2).exit_code == 0
    assert rollout(registry, "promote").output == "version 2 is served now, instead of 1\n"
    assert rollout(registry, "rollback").output == "version 1 is served now, instead of 2\n"


@pytest.mark.parametrize("arguments", [["--version", 2], ["--canary", 10, "promote"], ["promote", "--url", "http://a"]])
def test_options_that_mean_nothing_together_are_refused(registry: Registry, arguments: list[object]) -> None:
    assert rollout(registry, *arguments).exit_code == 1


def test_without_a_canary_there_is_nothing_to_promote(registry: Registry, pictures: Path) -> None:
    refused = rollout(registry, "promote", "--compare", pictures)
    assert (refused.exit_code, "has no canary" in refused.output) == (1, True)


def test_what_disagrees_is_not_promoted(registry: Registry, pictures: Path) -> None:
    rollout(registry, "--canary", 10)
    refused = rollout(registry, "promote", "--compare", pictures, "--at-least", 0.5)
    assert refused.exit_code == 1
    assert "agree on 0.00% of the pixels of 2 images, mean IoU 0.0000: below 0.5, so the canary is not promoted" in (
        refused.output
    )
    assert registry.labels() == {"stable": 1, "canary": 2}


@pytest.mark.slow
def test_what_agrees_enough_is_promoted(registry: Registry, pictures: Path) -> None:
    rollout(registry, "--canary", 10)
    done = rollout(registry, "promote", "--compare", pictures / "a.png", "--at-least", 0)
    assert done.output.splitlines()[-1] == "version 2 is served now, instead of 1"
    assert registry.labels() == {"stable": 2}


def test_a_picture_that_both_refuse_is_passed_over_and_counted(registry: Registry, pictures: Path) -> None:
    rollout(registry, "--canary", 10)
    (pictures / "c.png").write_bytes(b"no picture")
    done = rollout(registry, "promote", "--compare", pictures, "--at-least", 0)
    assert "of the pixels of 2 images, mean IoU 0.0000; both refuse 1 image\n" in done.output
    assert registry.labels() == {"stable": 2}


@pytest.mark.slow
def test_pictures_that_both_refuse_compare_nothing(registry: Registry, pictures: Path) -> None:
    rollout(registry, "--canary", 10)
    refused = rollout(registry, "promote", "--compare", pictures / "notes.txt", "--at-least", 0)
    assert (refused.exit_code, "both versions refuse 1 image, and no others are left" in refused.output) == (1, True)


@pytest.mark.slow
def test_a_picture_that_only_one_refuses_stops_the_promotion(
    registry: Registry, pictures: Path, tmp_path: Path
) -> None:
    export_tiny(1, str(tmp_path / "model"), max_pixels=1000)
    registry.push(str(tmp_path / "model"), **BIRTH)
    rollout(registry, "--canary", 10)
    refused = rollout(registry, "promote", "--compare", pictures, "--at-least", 0)
    assert (refused.exit_code, f"only one of the two versions accepts {pictures}/a.png: picture" in refused.output) == (
        1,
        True,
    )
    assert registry.labels() == {"stable": 1, "canary": 3}


def test_the_server_answers_by_label_while_both_are_there(
    registry: Registry, host: Callable[..., Hosted], pictures: Path
) -> None:
    server = host(registry)
    rollout(registry, "--canary", 10)
    wait_until(lambda: server.predict_json(picture(), path="/labels/canary")[0] == 200)
    found = {
        label: classes_in(server.predict(picture(), label=label).outputs["mask_bytes"].string_val[0])
        for label in ("stable", "canary")
    }
    assert found == {"stable": {1}, "canary": {2}}
    assert server.predict(picture()).model_spec.version.value == 1, "who names no label gets the stable version"
    for url in (server.http, f"grpc://{server.grpc}"):
        refused = rollout(registry, "promote", "--compare", pictures, "--url", url)
        assert "mean IoU 0.0000" in refused.output
    done = rollout(registry, "promote", "--compare", pictures, "--at-least", 0, "--url", server.http)
    assert done.exit_code == 0
    wait_until(lambda: server.predict(picture()).model_spec.version.value == 2)
    wait_until(lambda: server.predict_json(picture(), path="/labels/canary")[0] == 400)


def test_a_server_that_has_not_followed_yet_is_not_compared(
    registry: Registry, host: Callable[..., Hosted], pictures: Path
) -> None:
    server = host(registry, poll_seconds=60)
    rollout(registry, "--canary", 10)
    refused = rollout(registry, "promote", "--compare", pictures, "--url", server.http)
    assert (refused.exit_code, "canary" in refused.output) == (1, True)
    refused = rollout(registry, "promote", "--compare", pictures, "--url", "http://127.0.0.1:9")
    assert "does not answer" in refused.output
    refused = rollout(registry, "promote", "--compare", pictures, "--url", "localhost:8501")
    assert "localhost:8501 is not the address of a server: one is http://HOST:8501 or" in refused.output
