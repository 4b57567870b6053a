"""The steps of the pipeline, one folder each, in the order in which the data flows through them.

`example_gen` → `statistics` → `schema_importer` → `data_gate` → `transform` → `tuner` → `trainer` →
(`cross_validator` → `ensemble` →) `baseline` → `evaluator` → (`exporter` →) `serving_check` → `pusher` → `report` →
(`batch_predictor`).  `tuner`, `exporter` and `batch_predictor` run only if they are configured, and `cross_validator`
and `ensemble` if the data is divided into folds.
In each folder `component.py` declares the step to TFX, `executor.py` runs it, and the other modules hold the domain
logic: they do not depend on TFX and are tested without it.
"""
