"""`--set key.path=value` changes keys, items of lists, and keys that have a dot."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import UserError
from pipeline.config.run_config import load_config, make_config

RAW = {"name": "tiny", "data": {"source": {"type": "folders", "root": "data"}, "classes": ["background", "thing"]}}


def refusal(minimal: Path, override: str) -> str:
    with pytest.raises(UserError) as raised:
        load_config(minimal, [override])
    return str(raised.value)


def test_an_item_of_a_list_is_changed_in_its_place(minimal: Path) -> None:
    assert load_config(minimal, ["data.classes[1]=other"]).data.classes == ("background", "other")


def test_an_item_of_a_list_that_the_file_does_not_have_is_changed_in_the_default(minimal: Path) -> None:
    before = load_config(minimal).evaluator.thresholds
    after = load_config(minimal, ["evaluator.thresholds[0].at_least=0.25"]).evaluator.thresholds
    assert after == (before[0].model_copy(update={"at_least": 0.25}), *before[1:])
    assert load_config(minimal, ["trainer.loss[0].label_smoothing=0.1"]).trainer.loss[0].label_smoothing == 0.1


def test_a_key_with_a_dot_stands_in_brackets_and_quotes(minimal: Path) -> None:
    config = load_config(minimal, ['kubeflow.steps.default.node_selector["nvidia.com/gpu.present"]="true"'])
    assert config.kubeflow.steps["default"].node_selector == {"nvidia.com/gpu.present": "true"}


def test_a_key_that_is_a_number_in_the_file_is_the_same_key() -> None:
    raw = {**RAW, "data": {**RAW["data"], "labels": {"type": "values", "classes": {0: "background", 1: "background"}}}}  # type: ignore[dict-item]
    labels = make_config(raw, ["data.labels.classes.1=thing"], "a file").data.labels
    assert labels.classes == {0: "background", 1: "thing"}  # type: ignore[union-attr]


def test_a_section_that_is_empty_in_the_file_can_be_filled() -> None:
    assert make_config({**RAW, "trainer": None}, ["trainer.epochs=3"], "a file").trainer.epochs == 3


def test_the_document_is_left_as_it_was() -> None:
    raw = {**RAW, "trainer": {"epochs": 5}}
    make_config(raw, ["trainer.epochs=3"], "a file")
    assert raw["trainer"] == {"epochs": 5}


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("data.classes[5]=x", "data.classes[5] does not exist: the last is data.classes[1]; to add an item, write"),
        ("data.classes.1=x", "data.classes is a list; write one of its items as data.classes[0]"),
        ("evaluator.thresholds.0.at_least=1", "evaluator.thresholds is a list; write one of its items as"),
        ("data[0]=x", "data is not a list, but {source:"),
        ("name.x=3", "name is 'tiny', and holds no further keys"),
        ("trainer.epochs={a: 1, a: 2}", "trainer.epochs.a is given twice, in line 1; keep one of them"),
        ("seed=010", "010 is the number 8 in YAML"),
        ("data.labels.void=[#ff0000]", "#ff0000 is a comment in YAML"),
        ("trainer.epochs=[1", "'[1' is not a valid YAML value"),
        ("trainer.epochs", "write it as key.path=value"),
        ("=3", "write it as key.path=value"),
        (".a=3", "write it as key.path=value"),
        ("a..b=3", "write it as key.path=value"),
        ("a[x]=3", "write it as key.path=value"),
    ],
)
def test_an_override_that_leads_nowhere_says_why(minimal: Path, override: str, sentence: str) -> None:
    text = refusal(minimal, override)
    assert text.startswith("--set ")
    assert sentence in text


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("trainer.epochs=", "trainer.epochs has no value; it must be a whole number"),
        ("evaluator.thresholds[0].at_least=2", "evaluator.thresholds[0].at_least: must be a number from 0 to 1, not 2"),
        ("name=1e3", "name: must be text, not 1e3 (which YAML reads as 1000.0); put it in quotes: '1e3'"),
    ],
)
def test_a_value_that_does_not_fit_is_said_to_come_from_the_command_line(
    minimal: Path, override: str, sentence: str
) -> None:
    assert refusal(minimal, override).startswith(f"{minimal}, --set: {sentence}")
