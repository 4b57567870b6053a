"""The section `model_card` in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from components.pusher.card.config import ModelCardConfig


def test_the_example_is_valid() -> None:
    text = Path("docs/serving.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```yaml\n(model_card:.*?)```", text, re.DOTALL)
    assert ModelCardConfig.model_validate(yaml.safe_load(block)["model_card"]).licenses == ("Apache-2.0",)
