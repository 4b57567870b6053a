"""All forms of a model card."""

from __future__ import annotations

import json

from components.pusher.card.facts import Card
from components.pusher.card.hub import hub_markdown
from components.pusher.card.page import card_page
from components.pusher.card.toolkit import toolkit_fields
from registry.cards import CardForm


def card_forms(card: Card) -> dict[CardForm, str]:
    """Returns the text of each form that the registry keeps."""
    return {
        "html": card_page(card),
        "json": json.dumps(toolkit_fields(card), indent=2, ensure_ascii=False),
        "md": hub_markdown(card),
    }
