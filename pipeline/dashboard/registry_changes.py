"""Changes of a registry from the dashboard, by the functions of `segpipe rollback` and `segpipe rollout`."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from common.errors import UserError
from pipeline.cli.rollout import promote_canary, roll_back, roll_back_to, start_canary
from pipeline.dashboard.versions import Contents

PERCENT = 10
"""Share of the requests that a canary gets unless another one is given."""


class Action(str, enum.Enum):
    """What can be done with a registry."""

    ROLL_BACK = "rollback"
    CANARY = "canary"
    PROMOTE = "promote"
    ABORT = "abort"


@dataclass(frozen=True)
class Change:
    """A change that a person is to confirm, and the state of the registry that it was proposed for."""

    action: Action
    version: int
    percent: int
    served: int | None
    canary: int | None

    @classmethod
    def of_form(cls, form: Mapping[str, object]) -> Change:
        """Reads a form or the parameters of an address.

        Raises:
            UserError: a value is missing or invalid.
        """
        try:
            return cls(
                action=Action(str(form.get("action"))),
                version=int(str(form.get("version"))),
                percent=int(str(form.get("percent") or PERCENT)),
                served=_number(form.get("served")),
                canary=_number(form.get("canary")),
            )
        except ValueError:
            raise UserError("the request names no valid change: open the registry's page and choose again") from None

    def describe(self) -> str:
        """Says what will happen."""
        if self.action is Action.ROLL_BACK:
            return (
                f"Version {self.version} will be served instead of version {self.served}, which is withdrawn: no run "
                "serves it again, only a person does."
            )
        if self.action is Action.CANARY:
            return (
                f"Version {self.version} becomes the canary for {self.percent} % of the requests, beside version "
                f"{self.served}. Whatever splits the requests must be given the percentage too."
            )
        if self.action is Action.PROMOTE:
            return f"The canary, version {self.version}, will be served instead of version {self.served}."
        return f"Version {self.version} is no longer the canary, and is withdrawn. Version {self.served} stays served."

    def command(self, uri: str) -> str:
        """Returns the command that does the same."""
        commands = {
            Action.ROLL_BACK: f"segpipe rollback {self.version}",
            Action.CANARY: f"segpipe rollout --canary {self.percent} --version {self.version}",
            Action.PROMOTE: "segpipe rollout promote",
            Action.ABORT: "segpipe rollout rollback",
        }
        return f"{commands[self.action]} --registry {uri}"


def perform(change: Change, contents: Contents) -> str:
    """Makes the change and says what was done.

    Raises:
        UserError: the registry is no longer as it was when the change was proposed, or refuses it.
    """
    canary = contents.canary.version if contents.canary else None
    if (change.served, change.canary) != (contents.served, canary):
        raise UserError(
            f"the registry has changed: version {contents.served} is served and the canary is {canary or 'none'} now; "
            "look at it and choose again"
        )
    if change.action is Action.ROLL_BACK:
        return roll_back_to(contents.uri, change.version)
    if change.action is Action.CANARY:
        return start_canary(contents.uri, change.percent, change.version)
    if canary != change.version:
        raise UserError(f"version {change.version} is not the canary: look at the registry and choose again")
    if change.action is Action.PROMOTE:
        return " ".join(promote_canary(contents.uri, (), 0.0, None))
    return roll_back(contents.uri)


def _number(given: object) -> int | None:
    return None if given in (None, "") else int(str(given))
