"""Values that only Python would convert are refused."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from common.settings import Settings, default_type, matching


class Inner(Settings):
    """A section in a section."""

    count: int = 1
    shares: tuple[float, ...] = ()
    weights: dict[int, float] = Field(default={})
    days: tuple[datetime.date, ...] | None = None


class Outer(Settings):
    """A section."""

    inner: Inner = Inner()
    name: Annotated[str, matching("[a-z]+", "a name: small letters")] = "x"
    flag: bool = False


@pytest.mark.parametrize(
    "inner",
    [
        {"count": True},
        {"count": 10**20},
        {"shares": [0.5, False]},
        {"weights": {1: True}},
        {"weights": {True: 1.0}},
        {"days": [0]},
        {"days": [20240501]},
    ],
)
def test_true_is_not_a_number_and_a_number_is_not_a_date(inner: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Outer.model_validate({"inner": inner})


def test_what_fits_is_taken() -> None:
    inner = {"count": 2.0, "shares": [1, "0.5"], "weights": {"1": 2}, "days": ["2024-05-01", datetime.date(2024, 5, 2)]}
    made = Outer.model_validate({"inner": inner, "flag": True})
    assert made.inner.shares == (1.0, 0.5)
    assert Outer.model_validate_json(made.model_dump_json()) == made


def test_a_text_that_does_not_match_is_shown() -> None:
    with pytest.raises(ValidationError, match="'X1' is not a name: small letters"):
        Outer(name="X1")


class Plain(Settings):
    """The usual one."""

    type: Literal["plain"] = "plain"
    size: int = 1


class Rich(Settings):
    """The other one."""

    type: Literal["rich"] = "rich"
    size: int = 1
    sauce: str = ""


class Meal(Settings):
    """Either."""

    dish: Annotated[Plain | Rich, Field(discriminator="type"), default_type("plain", Plain, Rich)] = Plain()


def test_a_section_without_a_type_is_the_usual_one_unless_a_key_tells_otherwise() -> None:
    assert Meal.model_validate({"dish": {"size": 3}}).dish == Plain(size=3)
    with pytest.raises(ValidationError, match="discriminator"):
        Meal.model_validate({"dish": {"sauce": "hot"}})
