"""Configuration of the data gate: limits that data must meet before training."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from common.settings import Settings
from common.settings_types import shown


def _list_of_names(value: Any) -> Any:
    # One message here; pydantic would give one for each allowed type.
    is_list = isinstance(value, (list, tuple))
    wrong = [name for name in value if not isinstance(name, str)] if is_list else []
    if value == "all" or (is_list and not wrong):
        return value
    why = f"; {shown(wrong[0])} is not a name" if wrong else ""
    raise ValueError(f"{shown(value)} is not a list of class names, such as [hat, tie], or the word all{why}")


Absent = Annotated[tuple[str, ...] | Literal["all"], BeforeValidator(_list_of_names)]


class ValidationConfig(Settings):
    """The data gate, which stops a run before its expensive steps."""

    data_schema: str | None = Field(
        default=None,
        alias="schema",
        description="The curated schema; default `schemas/<name>.pbtxt`. If there is none, `segpipe check` and "
        "`segpipe run` write a first one from the data.",
    )
    max_quarantined: float = Field(
        default=0.05, ge=0, le=1, description="Share of the pairs found that may be quarantined."
    )
    min_pairs: int = Field(default=1, ge=1, description="Pairs that each split, and each fold, must have.")
    max_void: float = Field(
        default=0.5, ge=0, le=1, description="Share of the pixels of a split that may be void (ignored)."
    )
    may_be_absent: Absent = Field(
        default=(),
        description="Classes that may have no pixel in train, by name, or `all`; every other class of `data.classes` "
        "must have one.",
    )
    drift: bool = Field(
        default=True, description="Whether to compare with the last accepted data, by the schema's drift comparators."
    )
    skew: bool = Field(default=True, description="Whether to compare the splits, by the schema's skew comparators.")


def check_absent(config: ValidationConfig, classes: Sequence[str]) -> None:
    """Checks that `may_be_absent` names only `classes`.

    Raises:
        ValueError: it names another class; the text suggests the closest one.
    """
    for name in config.may_be_absent if config.may_be_absent != "all" else ():
        if name not in classes:
            close = difflib.get_close_matches(name, classes, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"the classes are {', '.join(classes)}"
            raise ValueError(f"validation.may_be_absent: unknown class {name!r}; {hint}")
