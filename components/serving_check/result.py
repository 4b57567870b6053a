"""Result of the serving check: `serving_check.json` in its blessing.  A model that failed has none."""

from __future__ import annotations

from pydantic import Field

from common.plurals import counted
from common.settings import Settings

RESULT_FILE = "serving_check.json"


class ServingCheckResult(Settings):
    """Measurements of a model that can be served."""

    engine: str
    pictures: int = Field(description="Number of images that were sent.")
    agreement: float = Field(description="Share of pixels with the training graph's class, in the worst image.")
    milliseconds: float = Field(description="Median time of an image sent alone over gRPC.")
    rest_milliseconds: float = Field(description="The same over REST.")
    megabytes: float = Field(description="Growth of the server's memory at its peak.")
    refused: tuple[str, ...] = Field(description="The hostile inputs, all of which were rejected.")
    warmup_requests: int = Field(description="Number of warm-up requests in the version.")

    @property
    def note(self) -> str:
        """The result in one line."""
        return (
            f"served by {self.engine}: {counted(self.pictures, 'image')}, {self.milliseconds:.0f} ms each "
            f"({self.rest_milliseconds:.0f} over REST), {self.agreement:.2%} of the training graph's pixels at least, "
            f"{self.megabytes:.0f} MB, {len(self.refused)} hostile inputs rejected"
        )
