"""TFX executors for tests of what runs them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor

from common import progress
from common.errors import UserError


class Executor(base_executor.BaseExecutor):
    """Does what the parameter `do` says."""

    def Do(self, input_dict: Any, output_dict: Any, exec_properties: dict[str, Any]) -> None:
        """Writes a page, fails in one of two ways, or waits for its end."""
        progress.report(f"doing {exec_properties['do']}")
        for number in range(3):
            progress.update(f"{number} done")
        getattr(self, exec_properties["do"])(output_dict)

    def write(self, output_dict: Any) -> None:
        """A page, with metadata as a step leaves it."""
        page = output_dict["report"][0]
        (Path(page.uri) / "report.html").write_text("<html>")
        page.set_string_custom_property("place", f"{page.uri}/report.html")
        page.set_json_value_custom_property("matrix", {"rows": [{"row": [1, 2]}]})
        progress.report(f"report: {page.uri}")

    def refuse(self, output_dict: Any) -> None:
        """As a step does whose data is bad, wrapped as Beam wraps it."""
        del output_dict
        try:
            raise UserError("the data is bad:\n  mend it")
        except UserError as error:
            raise RuntimeError("a long story of Beam's") from error

    def break_down(self, output_dict: Any) -> None:
        """As a mistake in the code does."""
        del output_dict
        raise KeyError("x")

    def wait(self, output_dict: Any) -> None:
        """Goes on until somebody stops it."""
        del output_dict
        Path("/mnt/claim/at-work").touch()
        time.sleep(600)
