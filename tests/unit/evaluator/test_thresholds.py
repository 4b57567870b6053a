import pytest

from common.errors import UserError
from components.evaluator.config import EvaluatorConfig, Threshold
from components.evaluator.thresholds import check_thresholds

CLASSES = ("ground", "roof", "roof/flat")


def check(threshold: dict, slices: tuple[str, ...] = ("place",), known: tuple[str, ...] | None = ("place",)) -> None:
    config = EvaluatorConfig(slices=slices, thresholds=(Threshold.model_validate({"at_least": 0.5, **threshold}),))
    check_thresholds(config, CLASSES, known)


@pytest.mark.parametrize(
    "threshold",
    [
        {"metric": "mean_iou"},
        {"metric": "dice/roof", "slice": "place"},
        {"metric": "iou/roof/flat"},
        {"metric": "pixel_accuracy", "slice": {"place": "town"}},
    ],
)
def test_what_exists_may_be_asked(threshold: dict) -> None:
    check(threshold)


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        ({"metric": "mean_iuo"}, r"thresholds\[0\]\.metric: there is no metric 'mean_iuo'; did you mean 'mean_iou'"),
        ({"metric": "iou"}, r"no metric 'iou'"),
        ({"metric": "mean_iou/roof"}, r"no metric"),
        ({"metric": "iou/rooof"}, r"no class 'rooof'; did you mean 'roof'"),
        ({"metric": "iou/xyz"}, r"no class 'xyz'; there are: ground, roof, roof/flat"),
        ({"metric": "mean_iou", "slice": "season"}, r"thresholds\[0\]\.slice: 'season' is not measured; add it to"),
        ({"metric": "mean_iou", "slice": {"place": "a", "season": "b"}}, r"one column and one value"),
        ({"metric": "mean_iou", "slice": {}}, r"one column and one value"),
    ],
)
def test_what_does_not_exist_is_refused_with_its_path(threshold: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check(threshold)


def test_a_slice_that_the_data_does_not_have_is_refused_where_the_data_is_known() -> None:
    check({"metric": "mean_iou"}, slices=("season",), known=None)
    with pytest.raises(UserError, match=r"evaluator\.slices\[0\]: there is no slice 'season'; there are: place"):
        check({"metric": "mean_iou"}, slices=("season",))
