"""The controller: each step may be the last one of its process, and the next controller goes on."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import serving.canary.controller
from registry.canary_policy import CanaryPolicy
from registry.local_storage import LocalWriter
from registry.serving_record import Canary
from registry.store import Registry
from serving.canary.controller import CanaryController
from serving.canary.metrics import CanaryMetrics
from serving.canary.observations import Observations, Sample
from tests.support.registries import registry_of_two
from tests.support.webhook import Webhook

POLICY = CanaryPolicy(images=20, least_images=10)
GOOD = Sample(True, 0.1, 0.9, {"roof": 0.2})
BAD = Sample(False)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        yield server


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """Version 1 is served, version 2 is the canary."""
    registry = registry_of_two(tmp_path, "nuclei")
    assert registry.start_canary_beside(1, 2, POLICY)
    return registry


def seen(stable: Sample = GOOD, canary: Sample = GOOD, images: int = 20) -> Observations:
    return Observations([stable] * images, [canary] * images, 1)


def controller(registry: Registry, observations: Observations, webhook: str | None = None) -> CanaryController:
    def observe(canary: Canary, stable: int) -> Observations:
        assert (canary.version, stable) == (2, 1)
        return observations

    return CanaryController(registry, observe, CanaryMetrics(CollectorRegistry()), webhook)


def test_a_good_canary_is_promoted_with_its_reason(registry: Registry) -> None:
    done = controller(registry, seen()).step().decision
    assert registry.labels() == {"stable": 2}
    assert registry.serving_record().decisions == (done,)
    assert done is not None
    assert done.describe().startswith("version 2 was promoted automatically: not worse on 20 images: error rate 0.00%")


def test_a_bad_canary_is_rolled_back_and_no_run_tries_it_again(registry: Registry) -> None:
    controller(registry, seen(canary=BAD)).step()
    assert registry.labels() == {"stable": 1}
    assert registry.withdrawn() == (2,)
    (decision,) = registry.serving_record().decisions
    assert decision.describe() == (
        "version 2 was rolled back automatically: worse on 20 images: error rate 100.00%, served 0.00% (limit +1.00%)"
    )
    assert not registry.start_canary_beside(1, 2, POLICY), "by a run"
    registry.start_canary(2, 10)  # By a person.
    assert registry.promote() == 2


def test_a_canary_with_too_few_images_stays(registry: Registry) -> None:
    step = controller(registry, seen(images=9)).step()
    assert step.decision is None
    assert registry.labels() == {"stable": 1, "canary": 2}


def test_a_canary_of_a_person_is_left_alone(registry: Registry) -> None:
    registry.start_canary(2, 10)
    assert controller(registry, seen(canary=BAD)).step().verdict is None
    assert registry.labels() == {"stable": 1, "canary": 2}


def test_what_a_person_does_meanwhile_stands(registry: Registry) -> None:
    def observe(canary: Canary, stable: int) -> Observations:
        registry.start_canary(2, 50)
        return seen(canary=BAD)

    step = CanaryController(registry, observe, CanaryMetrics(CollectorRegistry())).step()
    assert step.decision is None
    assert registry.labels() == {"stable": 1, "canary": 2}
    assert registry.serving_record().decisions == ()


def test_a_damaged_canary_is_rolled_back_however_good_it_was(registry: Registry) -> None:
    Path(registry.version_location(2), "saved_model.pb").write_text("forged")
    done = controller(registry, seen()).step().decision
    assert registry.labels() == {"stable": 1}
    assert done is not None
    assert done.outcome == "rolled_back"
    assert "is not the file that was pushed as part of version 2" in done.reason


def test_two_controllers_decide_once(registry: Registry) -> None:
    first, second = controller(registry, seen()), controller(registry, seen(canary=BAD))
    second._observe = lambda canary, stable: (first.step(), seen(canary=BAD))[1]
    assert second.step().decision is None
    assert [each.outcome for each in registry.serving_record().decisions] == ["promoted"]
    assert registry.labels() == {"stable": 2}


def test_metrics_show_the_comparison_and_the_decision(registry: Registry) -> None:
    observations = seen(images=12)
    metrics = CanaryMetrics(CollectorRegistry())
    control = CanaryController(registry, lambda *_: observations, metrics)
    control.step()
    page = generate_latest(metrics.registry).decode()
    assert 'segpipe_canary_value{criterion="error_rate"} 0.0' in page
    assert 'segpipe_canary_limit{criterion="latency_ratio"} 1.5' in page
    observations = seen(canary=BAD)
    control.step()
    page = generate_latest(metrics.registry).decode()
    assert 'segpipe_canary_decisions_total{outcome="rolled_back"} 1.0' in page
    assert 'segpipe_canary_decided_timestamp_seconds{outcome="rolled_back",version="2"}' in page
    assert "segpipe_canary_value{" not in page


# ---- killed at each step ---------------------------------------------------------------------------------------------


class KilledError(BaseException):
    """The process has died here."""


def die(*_: object, **__: object) -> None:
    raise KilledError


POINTS = {
    "after the registry is read": (CanaryController, "_observe"),
    "after the decision": (CanaryController, "_write"),
    "before the write": (Registry, "decide_canary"),
    "during the write": (LocalWriter, "write"),
    "before the message": (serving.canary.controller, "send"),
    "after the message": (Registry, "record_notified"),
}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(("canary", "expected"), [(GOOD, {"stable": 2}), (BAD, {"stable": 1})])
def test_a_controller_that_dies_leaves_the_registry_whole_and_the_next_one_ends_the_work(
    registry: Registry,
    webhook: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
    canary: Sample,
    expected: dict[str, int],
) -> None:
    owner, name = POINTS[point]
    killed = controller(registry, seen(canary=canary), webhook.url)
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(killed if name == "_observe" else owner, name, die)
        killed.step()
        killed.tell()
    is_decided = "message" in point
    assert registry.labels() == (expected if is_decided else {"stable": 1, "canary": 2})
    with monkeypatch.context() as patch:
        patch.setattr(serving.canary.controller, "_OTHERS_TELL", datetime.timedelta(0))
        following = controller(registry, seen(canary=canary), webhook.url)
        following.step()
        following.tell()
        following.step()
        following.tell()
    assert registry.labels() == expected
    (decision,) = registry.serving_record().decisions
    assert decision.notified
    assert len(webhook.bodies) == (2 if point == "after the message" else 1), "at least once"


def test_a_webhook_that_does_not_answer_changes_nothing_and_is_tried_again_later(
    registry: Registry, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook.status = 400
    control = controller(registry, seen(), webhook.url)
    control.step()
    with pytest.raises(Exception, match="could not be notified: it answered 400"):
        control.tell()
    control.tell()
    assert len(webhook.bodies) == 1, "not at once"
    assert registry.labels() == {"stable": 2}
    webhook.status = 200
    monkeypatch.setattr(control, "_next_message", 0)
    control.tell()
    assert registry.serving_record().decisions[-1].notified


def test_the_message_says_what_was_done_and_why(registry: Registry, webhook: Webhook) -> None:
    control = controller(registry, seen(canary=BAD), webhook.url)
    control.step()
    control.tell()
    assert "nuclei: version 2 was rolled back automatically: worse on 20 images" in webhook.bodies[0]
    assert "version 1 is served" in webhook.bodies[0]
