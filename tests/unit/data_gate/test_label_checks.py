from __future__ import annotations

import re

import pytest
import yaml

from components.data_gate.checks import check_ingestion
from components.data_gate.config import ValidationConfig
from components.data_gate.label_checks import check_labels
from components.data_gate.result import Finding
from components.example_gen.config import DataConfig, IndexLabels, Labels, Split, ValueLabels
from tests.support.data_set import DataSet, blocks, encode
from tests.support.mask_files import palette_image

SHAPE = blocks(values=(0, 1))
TWO = ("background", "thing")
HALF = Split(train=0.6, eval=0.2, test=0.2)


@pytest.fixture
def data_set(tmp_path: object) -> DataSet:
    from pathlib import Path

    assert isinstance(tmp_path, Path)
    return DataSet(tmp_path)


def failures(data_set: DataSet, **changes: object) -> list[Finding]:
    summary, _ = data_set.survey(**{"classes": TWO, "split": HALF} | changes)
    return [finding for finding in check_labels(summary) if not finding.passed]


def pasted(finding: Finding, data_set: DataSet) -> Labels:
    """The labels of the first line to paste in a finding."""
    found = re.search(r"labels: \{.*?\}\}|labels: \{.*?\}(?=[ ;]|$)", finding.detail)
    assert found, finding.detail
    source = data_set.config().source.model_dump()
    return DataConfig.model_validate({"source": source, "classes": TWO, **yaml.safe_load(found.group())}).labels


def test_masks_of_0_and_255_stop_with_a_line_that_makes_them_right(data_set: DataSet) -> None:
    for number in range(6):
        data_set.add(str(number), mask=SHAPE * 255)
    [finding] = failures(data_set)
    assert "masks hold 0 and 255" in finding.detail
    assert "write labels: {type: values, classes: {0: background, 255: thing}} or labels: {type: threshold}" in (
        finding.detail
    )
    labels = pasted(finding, data_set)
    assert not failures(data_set, labels=labels)
    summary, _ = data_set.survey(classes=TWO, labels=labels)
    assert summary.class_pixels["train"][1] > 0


def test_the_names_in_the_line_are_quoted_as_yaml_wants_them(data_set: DataSet) -> None:
    data_set.add("a", mask=SHAPE * 255)
    [finding] = failures(data_set, classes=("no", "it's: odd"))
    line = re.search(r"write (labels: .*\}\})", finding.detail)
    assert line is not None
    assert yaml.safe_load(line.group(1))["labels"]["classes"] == {0: "no", 255: "it's: odd"}


@pytest.mark.parametrize(
    "labels",
    [
        ValueLabels(classes={0: "background", 1: "thing"}, void=(255,)),
        IndexLabels(void=(), unknown="void"),
        IndexLabels(void=(255, 11)),
    ],
)
def test_it_does_not_matter_how_255_became_void(data_set: DataSet, labels: Labels) -> None:
    data_set.add("a", mask=SHAPE * 255)
    [finding] = failures(data_set, labels=labels)
    assert "{0: background, 255: thing}" in finding.detail


def test_trimaps_whose_second_class_is_void_stop_too(data_set: DataSet) -> None:
    data_set.add("a", mask=blocks(values=(1, 2)))
    [finding] = failures(data_set, labels=IndexLabels(offset=1, void=(2,)))
    assert "masks hold 1 and 2" in finding.detail
    assert "{1: background, 2: thing}" in finding.detail


@pytest.mark.parametrize("values", [(0,), (0, 1), (0, 1, 255)])
def test_masks_with_both_classes_or_without_void_are_left_alone(data_set: DataSet, values: tuple[int, ...]) -> None:
    data_set.add("a", mask=blocks(values=values))
    assert not failures(data_set)


def test_masks_of_0_and_1_among_masks_of_0_and_255_stop(data_set: DataSet) -> None:
    for number in range(6):
        data_set.add(str(number), mask=SHAPE * (255 if number % 2 else 1))
    [finding] = failures(data_set)
    assert "3 masks hold one class and 255" in finding.detail
    assert "{type: values, classes: {0: background, 1: thing, 255: thing}}" in finding.detail
    kept = ValueLabels(classes={0: "background", 1: "thing"}, void=(255,))
    assert "{type: values, classes: {0: background, 1: thing}, void: [255]}" in finding.detail
    assert not failures(data_set, labels=kept)


def test_an_index_with_two_colours_stops(data_set: DataSet) -> None:
    for number in range(4):
        colours = [(0, 0, 0), (255, 0, 0), (0, 0, 9)]
        swapped = [(255, 0, 0), (0, 0, 0), (0, 0, 9)]
        data_set.add(str(number), mask=palette_image(SHAPE, swapped if number == 2 else colours))
    [finding] = failures(data_set)
    assert finding.detail == (
        "the palettes of masks/0.png and masks/2.png differ: index 0 is #000000 in one, #ff0000 in the other "
        "(1 more indices differ); use labels of type colours"
    )


def test_palettes_of_greys_beside_palettes_with_colours_stop(data_set: DataSet) -> None:
    data_set.add("a", mask=palette_image(SHAPE, [(0, 0, 0), (1, 1, 1)]))
    data_set.add("b", mask=palette_image(SHAPE, [(0, 0, 0), (255, 0, 0)]))
    assert not failures(data_set)
    data_set.add("c", mask=palette_image(SHAPE, [(0, 0, 0), (255, 255, 255)]))
    [finding] = failures(data_set)
    assert "the palettes of masks/c.png and masks/b.png differ" in finding.detail


def test_gifs_of_black_and_white_are_read_by_grey_whatever_their_palettes(data_set: DataSet) -> None:
    for number in range(4):
        mask = SHAPE * 255 if number else SHAPE * 0 + 255
        data_set.add(str(number), mask=encode(mask, "GIF"))
    labels = ValueLabels(classes={0: "background", 255: "thing"})
    assert not failures(data_set, labels=labels)
    summary, _ = data_set.survey(classes=TWO, labels=labels, split=Split(train=1, eval=0, test=0))
    assert summary.class_pixels["train"] == (3 * 384, 3 * 384 + 768)


def test_values_that_no_label_names_are_told_once_with_their_counts(data_set: DataSet) -> None:
    for number in range(5):
        data_set.add(str(number), mask=blocks(values=(0, 1, 11)))
    data_set.add("fine")
    summary, _ = data_set.survey()
    [finding] = [finding for finding in check_labels(summary) if "11" in finding.detail]
    assert finding.passed
    assert finding.detail == (
        "no label names 11 (5 masks, 1200 pixels): the masks are quarantined; add it to data.labels.void, or name the "
        "class"
    )
    summary, _ = data_set.survey(labels=IndexLabels(unknown="void"))
    [finding] = [finding for finding in check_labels(summary) if "11" in finding.detail]
    assert finding.warning
    assert finding.detail.startswith("11 (5 masks, 1200 pixels) became void")


def test_the_gate_asks_these_checks_first(data_set: DataSet) -> None:
    data_set.add("a", mask=SHAPE * 255)
    summary, _ = data_set.survey(classes=TWO)
    assert check_ingestion(summary, ValidationConfig())[0].check == "labels"
