"""What the check found: `serving_check.json` in its blessing.  There is none of a model that did not pass."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings

RESULT_FILE = "serving_check.json"


class ServingCheckResult(Settings):
    """The figures of a model that can be served."""

    engine: str
    pictures: int = Field(description="Pictures that were sent.")
    agreement: float = Field(description="Share of pixels with the training graph's class, in the worst picture.")
    milliseconds: float = Field(description="Median of a picture sent alone over gRPC.")
    rest_milliseconds: float = Field(description="The same over REST.")
    megabytes: float = Field(description="Growth of the server's memory at its peak.")
    refused: tuple[str, ...] = Field(description="The hostile inputs, all of which were refused.")
    warmup_requests: int = Field(description="Requests that the version brings along for a server's start.")

    @property
    def note(self) -> str:
        """One line for a person."""
        return (
            f"served by {self.engine}: {self.pictures} pictures, {self.milliseconds:.0f} ms each "
            f"({self.rest_milliseconds:.0f} over REST), {self.agreement:.2%} of the training graph's pixels at least, "
            f"{self.megabytes:.0f} MB, {len(self.refused)} hostile inputs refused"
        )
