"""Step that predicts masks of many images with the served model; `segpipe predict-batch` runs the same modules."""
