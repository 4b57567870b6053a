"""For notebooks: `segpipe.load_run("build/sample")` gives a finished run's results as dataframes and figures.

The pipeline itself is the command `segpipe`; apps use the package `segpipe_client`.
"""

from pipeline.notebook.run import Run, load_run

__all__ = ["Run", "load_run"]
