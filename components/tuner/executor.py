"""Executor of the step `HyperbandTuner`."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.tuner import executor
from tfx.types import artifact_utils, standard_component_specs

from common import progress
from common.plurals import counted
from components.trainer.hyperparameters import described
from components.tuner.result import SEARCH_FILE
from components.tuner.search import Search


class Executor(executor.Executor):
    """Runs TFX's executor, which searches and writes the results, and then deletes the search's temporary files."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As in `HyperbandTuner`.

        Raises:
            UserError: no trial could be trained, or there are several workers.
        """
        scratch = self._get_tmp_dir()
        search: Search = executor.search(input_dict, exec_properties, scratch, print_tuning_summary=False)
        result = search.result
        executor.write_best_hyperparameters(search, output_dict)
        folder = artifact_utils.get_single_uri(output_dict[standard_component_specs.TUNER_RESULTS_KEY])
        with tf.io.gfile.GFile(os.path.join(folder, SEARCH_FILE), "w") as file:
            file.write(result.model_dump_json(indent=1))
        for done_with in (search.folder, scratch):
            tf.io.gfile.rmtree(done_with)
        best = result.trials[result.best - 1]
        progress.report(
            f"searched {counted(len(result.trials), 'trial')} in {result.seconds:.0f} s; "
            f"best is trial {best.number}: eval IoU {best.mean_iou:.3f} with {described(best.values)}"
        )
