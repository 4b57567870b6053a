"""The constant-prediction baseline: metrics of a model that predicts one class everywhere.

With n_c the pixels of class c in the ground truth and N their sum, "class c everywhere" has

- IoU of c = n_c / N, Dice of c = 2 n_c / (N + n_c), and 0 for each other class that the truth has;
- means over the K classes that occur: n_c / (N K) and 2 n_c / ((N + n_c) K);
- pixel accuracy = n_c / N.

Each metric's figure is that of the class that is best for it (the majority class, for all but the metrics of one
class).  A model that does not beat it has learnt nothing from the images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from components.evaluator.counts import named_metrics_of_marginals


def constant_prediction(truth_C: npt.ArrayLike, classes: Sequence[str]) -> dict[str, float]:
    """Returns the best value of each metric that the prediction of one class everywhere reaches.

    Args:
        truth_C: pixels of each class in the truth.
        classes: names of the classes, in the order of their indices.

    Returns:
        Metric → value, under the names that thresholds use; without the metrics of classes that the truth lacks, and
        empty where nothing was counted.
    """
    truth = np.asarray(truth_C, np.int64)
    if not truth.any():
        return {}
    everywhere_CC = np.eye(truth.size, dtype=np.int64)  # [predicted class][class]
    marginals_C3C = np.stack(
        [everywhere_CC * truth, np.broadcast_to(truth, everywhere_CC.shape), everywhere_CC * truth.sum()], axis=1
    )
    best = {name: np.nanmax(values) for name, values in named_metrics_of_marginals(marginals_C3C, classes).items()}
    absent = {name for name, pixels in zip(classes, truth, strict=True) if not pixels}
    return {name: float(value) for name, value in best.items() if name.partition("/")[2] not in absent}
