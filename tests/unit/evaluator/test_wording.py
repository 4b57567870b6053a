import numpy as np
import pytest

from components.evaluator import wording
from components.evaluator.config import EvaluatorConfig
from components.evaluator.executor import closing_line, summed_up
from components.evaluator.results import Measured
from components.evaluator.verdict import judge
from tests.unit.evaluator.test_verdict import WITHOUT_RARE, part


@pytest.fixture
def evaluation():
    def make(overall, classes):
        measured = Measured(overall=overall)
        return summed_up("test", classes, measured, None, judge(EvaluatorConfig(), measured, None, None))

    return make


def test_a_figure_stands_beside_what_it_must_be_read_with(evaluation) -> None:
    assert wording.mean_iou(evaluation(part([[8, 2], [0, 10]]), ("ground", "roof"))) == (
        "0.82 (one class everywhere: 0.25)"
    )
    partial = evaluation(WITHOUT_RARE, ("ground", "roof", "rare"))
    assert closing_line(partial) == (
        "test: mean IoU 0.90 over 2 of 3 classes (one class everywhere: 0.25; no test pixel of: rare), blessed: yes"
    )
    assert partial.classes_without_pixels == ("rare",) and partial.classes_averaged == 2
    assert partial.constant_prediction["pixel_accuracy"] == pytest.approx(0.5)


def test_of_many_absent_classes_the_first_are_named(evaluation) -> None:
    classes = tuple(f"c{index}" for index in range(59))
    confusion = np.zeros((59, 59), int)
    confusion[0, 0], confusion[1, 1] = 9, 1
    text = wording.mean_iou(evaluation(part(confusion.tolist(), classes=classes), classes))
    assert text.endswith("no test pixel of: c2, c3, c4, c5, c6, c7, c8, c9 and 49 more)")
    assert "over 2 of 59 classes" in text


def test_what_was_not_measured_is_said_to_be_so(evaluation) -> None:
    line = closing_line(evaluation(part([[0, 0], [0, 0]]), ("ground", "roof")))
    assert line.startswith("test: mean IoU not measured over 0 of 2 classes (no test pixel of: ground, roof)")
