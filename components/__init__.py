"""The steps of the pipeline, one folder each, in the order in which the data flows through them.

`example_gen` → `statistics` → `schema_importer` → `data_gate` → `transform` → `trainer` → `baseline` → `evaluator` →
`pusher` → `report`.
In each folder `component.py` declares the step to TFX, `executor.py` does its work, and the other modules hold the
trade itself: they know nothing of TFX and are tested without it.
"""
