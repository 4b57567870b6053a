"""Model cards of the versions: `cards/<n>.html`, `.json` and `.md` in the registry.

A card is beside the version, not in it: its texts may be corrected, and a version's files never change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from registry.storage import Storage

CARDS = "cards"
CardForm = Literal["html", "json", "md"]
FORMS: tuple[CardForm, ...] = ("html", "json", "md")
"""A page; the fields of the Model Card Toolkit; Markdown with the metadata of Hugging Face's Hub."""


def write_card(storage: Storage, version: int, forms: Mapping[CardForm, str]) -> None:
    """Writes the forms of a version's card, in place of older ones; the card exists with its last form."""
    with storage.writer(CARDS) as writer:
        for form in FORMS:
            writer.write(_path(version, form), forms[form].encode())


def read_card(storage: Storage, version: int, form: CardForm) -> str | None:
    """Returns a form of a version's card; `None` if the version has none, as those pushed before there were cards."""
    try:
        return storage.read(_path(version, form)).decode()
    except FileNotFoundError:
        return None


def _path(version: int, form: CardForm) -> str:
    return f"{CARDS}/{version}.{form}"
