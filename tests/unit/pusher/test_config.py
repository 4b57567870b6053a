from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from components.pusher.config import PusherConfig
from registry.canary_policy import CanaryPolicy


def test_versions_are_served_at_once_unless_canaries_are_asked_for() -> None:
    assert PusherConfig().policy is None
    assert PusherConfig(strategy="canary").policy == CanaryPolicy()
    policy = CanaryPolicy(mode="share", percent=3)
    assert PusherConfig(strategy="canary", canary=policy).policy == policy


def test_a_policy_without_canaries_is_refused() -> None:
    with pytest.raises(ValidationError, match="canary needs strategy: canary"):
        PusherConfig(canary=CanaryPolicy())


def test_a_decision_after_fewer_images_than_it_needs_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"images \(20\) must be at least least_images \(50\)"):
        CanaryPolicy(images=20)


def test_the_example_in_the_docs_is_valid() -> None:
    text = Path("docs/serving.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```yaml\n(pusher:.*?)```", text, re.DOTALL)
    policy = PusherConfig.model_validate(yaml.safe_load(block)["pusher"]).policy
    assert policy is not None
    assert policy.limits.agreement == 0.9
