"""Which settings of two configurations differ."""

from __future__ import annotations

from pipeline.comparison.settings_diff import ABSENT, Setting, changed_settings


def test_equal_configurations_have_none() -> None:
    config = {"name": "a", "trainer": {"epochs": 3, "loss": [{"type": "dice"}], "average": None, "xla": False}}
    assert changed_settings(config, config) == []


def test_values_are_as_in_the_file_and_in_its_order() -> None:
    a = {"seed": 1, "trainer": {"xla": False, "average": None, "loss": [{"type": "dice"}]}}
    b = {"seed": 1, "trainer": {"loss": [], "average": 0.99, "xla": True}}
    assert changed_settings(a, b) == [
        Setting("trainer.xla", "false", "true"),
        Setting("trainer.average", "null", "0.99"),
        Setting("trainer.loss", "[{'type': 'dice'}]", "[]"),
    ]


def test_a_key_of_one_side_alone_is_absent_on_the_other() -> None:
    a, b = {"model": {"type": "unet", "width": 16}}, {"model": {"type": "fcn8"}, "tuner": {}}
    assert changed_settings(a, b) == [
        Setting("model.type", "unet", "fcn8"),
        Setting("model.width", "16", ABSENT),
        Setting("tuner", ABSENT, "{}"),
    ]


def test_where_a_run_is_and_what_its_report_shows_is_not_compared() -> None:
    assert changed_settings({"workspace": "a", "report": {"best": 1}}, {"workspace": "b", "report": {"best": 2}}) == []
