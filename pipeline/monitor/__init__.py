"""Drift in service: windows of a request log against the reference distribution of the version that answered.

`judging.py` compares a window, `monitor.py` finds the windows, and the other modules show the result or act on it.
"""
