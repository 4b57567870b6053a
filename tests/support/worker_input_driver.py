"""Takes steps of a worker's training input in a process of its own, and prints what they are.

`python -m tests.support.worker_input_driver SAMPLES BATCH STEPS`, with `TF_CONFIG` in the environment.  The output is a
JSON object: `batches`, this worker's numbers of each step, and `collectives`, the operations of the graph that takes a
batch in which workers wait for each other.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def _main(samples: int, batch_size: int, steps: int) -> None:
    from components.trainer.strategy import all_reduce, choose_strategy, share_of, training_input

    strategy = choose_strategy()
    import tensorflow as tf

    epoch = share_of(strategy).of(tf.data.Dataset.range(samples)).batch(batch_size)

    @tf.function
    def step(iterator: Any) -> Any:
        return strategy.run(tf.identity, (next(iterator),))

    iterator = iter(training_input(strategy, epoch, samples, batch_size))
    graph = step.get_concrete_function(iterator).graph.as_graph_def()
    operations = [node.op for node in graph.node]
    operations += [node.op for function in graph.library.function for node in function.node_def]
    batches = [strategy.experimental_local_results(step(iterator))[0].numpy().tolist() for _ in range(steps)]
    all_reduce(strategy, 0.0)  # A worker that ended before the others would be a failure to them.
    print(json.dumps({"batches": batches, "collectives": [name for name in operations if "Collective" in name]}))


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:]))
