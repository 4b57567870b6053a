"""Canaries that are decided automatically: observed beside the served version, then promoted or rolled back.

`deciding.py` is the rule, a pure function; `controller.py` applies it to a registry; `trial.py` observes in the
embedded server, and `pipeline/monitor/canary_observations.py` in a request log.
"""
