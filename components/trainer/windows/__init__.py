"""Training on windows of images at their own size (`transform.mode: crop`)."""
