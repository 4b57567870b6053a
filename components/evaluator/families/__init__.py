"""Further metrics, by families: what each counts on one image, and how sums of counts become metrics.

A family knows nothing of TFMA: `components.evaluator.metrics` adds its counts up over slices and bootstrap replicates.
"""
