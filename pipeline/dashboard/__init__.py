"""Web page over the workspaces of local runs: runs, steps, registry, quarantine; it never imports TensorFlow.

Everything shown is read from what the steps and the runner write; only the registry is changed, by the functions that
the commands call.
"""
