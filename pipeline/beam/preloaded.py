"""What Beam's workers need, imported once: the process that workers are forked from imports this module.

Workers then start in an instant and share the memory of the libraries.  Nothing here may start a thread or compute
with TensorFlow, because neither survives a fork.
"""

from __future__ import annotations

import gc

from common.beam_inspection import remember_inspections
from common.start_up import collect_as_usual, collect_seldom
from common.tensorflow_environment import set_tensorflow_environment

collect_seldom()
set_tensorflow_environment()

import apache_beam.runners.worker.sdk_worker_main  # noqa: E402, F401
import tensorflow_data_validation  # noqa: E402, F401
import tensorflow_transform.beam  # noqa: E402, F401

import components.batch_predictor.pipeline  # noqa: E402
import components.evaluator.reference_sample  # noqa: E402
import components.example_gen.pipeline  # noqa: E402
import components.transform.preprocessing  # noqa: E402, F401

remember_inspections()
gc.collect()
collect_as_usual()  # Else the collector would write to each object, and so copy the memory that workers share.
