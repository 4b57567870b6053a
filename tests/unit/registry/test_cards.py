"""Model cards in a registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from registry.cards import FORMS
from registry.errors import UnknownVersionError
from registry.store import Registry

CARD = {form: f"a card as {form}, größer" for form in FORMS}


def test_a_card_is_kept_in_every_form_and_may_be_written_again(uri: str, push: Callable[..., Any]) -> None:
    push(uri, "a")
    registry = Registry(uri)
    registry.write_card(1, dict.fromkeys(FORMS, "before"))
    registry.write_card(1, CARD)
    assert {form: registry.card(1, form) for form in FORMS} == CARD
    registry.verify(1)
    registry.check_there()


def test_a_version_may_have_none(uri: str, push: Callable[..., Any]) -> None:
    push(uri, "a")
    assert Registry(uri).card(1, "html") is None


def test_a_version_that_is_not_there_has_none(uri: str, push: Callable[..., Any]) -> None:
    push(uri, "a")
    registry = Registry(uri)
    for ask in (lambda: registry.write_card(2, CARD), lambda: registry.card(2, "md")):
        with pytest.raises(UnknownVersionError, match="has no version 2; it has 1"):
            ask()
