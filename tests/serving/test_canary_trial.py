"""A canary of a run in the embedded server: who answers, what is compared, and what is left alone."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Callable

import pytest

from registry.canary_policy import CanaryPolicy
from registry.store import Registry
from tests.support.serving import MODEL, Hosted, picture, wait_until

PICTURE = picture()


def start_canary(registry: Registry, **settings: object) -> None:
    policy = CanaryPolicy.model_validate({"percent": 99, "images": 1000, "least_images": 500, **settings})
    assert registry.start_canary_beside(1, 2, policy)


def asked(server: Hosted, **spec: object) -> int:
    """The version that answers a request."""
    return server.predict(PICTURE, **spec).model_spec.version.value  # type: ignore[arg-type]


def compared(server: Hosted) -> float:
    page = server.get("/monitoring/prometheus/metrics")[1].decode()
    (line,) = (line for line in page.splitlines() if line.startswith("segpipe_canary_images "))
    return float(line.split()[1])


@pytest.mark.slow
def test_a_shadow_answers_nobody_and_is_rolled_back_by_itself(registry: Registry, host: Callable[..., Hosted]) -> None:
    server = host(registry)
    start_canary(registry, images=20, least_images=10)
    wait_until(lambda: asked(server, label="canary") == 2 if "canary" in _labels(server) else False)
    while not registry.serving_record().decisions:
        assert asked(server) == 1
    assert registry.labels() == {"stable": 1}
    assert "agreement on 0.0% of the pixels" in registry.serving_record().decisions[0].reason


def test_a_share_of_the_requests_without_a_version_gets_the_canary_over_all_protocols(
    registry: Registry, host: Callable[..., Hosted]
) -> None:
    server = host(registry)
    start_canary(registry, mode="share")
    wait_until(lambda: "canary" in _labels(server))
    wait_until(lambda: asked(server) == 2)
    assert 2 in {_rest_version(server, f"/v1/models/{MODEL}:predict") for _ in range(5)}
    assert {asked(server, version=1) for _ in range(5)} == {1}
    assert {asked(server, label="stable") for _ in range(5)} == {1}
    wait_until(lambda: compared(server) > 0)
    assert "segpipe_canary_fallbacks_total 0.0" in server.get("/monitoring/prometheus/metrics")[1].decode()


@pytest.mark.slow
def test_a_server_that_does_not_decide_leaves_the_canary_alone(registry: Registry, host: Callable[..., Hosted]) -> None:
    server = host(registry, decide_canaries=False)
    start_canary(registry, mode="share", images=10, least_images=10)
    wait_until(lambda: "canary" in _labels(server))
    assert {asked(server) for _ in range(20)} == {1}
    assert registry.labels() == {"stable": 1, "canary": 2}


def _labels(server: Hosted) -> dict[str, int]:
    return json.loads(server.get("/readyz")[1])["labels"]


def _rest_version(server: Hosted, path: str) -> int:
    body = json.dumps({"instances": [{"b64": base64.b64encode(PICTURE).decode()}]}).encode()
    with urllib.request.urlopen(urllib.request.Request(server.http + path, body), timeout=60) as response:
        return int(response.headers["Segpipe-Model-Version"])
