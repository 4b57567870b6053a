"""The card as one HTML page, without scripts, files or external URLs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import jinja2

from common.markdown import plain
from common.page_templates import page_templates
from components.evaluator.wording import interval
from components.pusher.card.facts import Card

_TEMPLATES = Path(__file__).parent / "templates"


def card_page(card: Card) -> str:
    """Renders the page.  Every text of the card is untrusted and escaped."""
    return environment().get_template("card.html").render(card=card).lstrip()


def environment() -> jinja2.Environment:
    """Returns the environment of the templates: the page is escaped by itself, Markdown by the filter `plain`."""
    environment = page_templates(_TEMPLATES)
    environment.filters.update(ratio=_ratio, interval=partial(interval, digits=3), plain=plain, share=_share)
    environment.globals.update(by_metric=_by_metric)
    return environment


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _share(pixels: int, total: int) -> str:
    return f"{100 * pixels / total:.2g} %" if total else "–"


def _by_metric(card: Card, names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Returns a row for each slice, the whole split first: its name, number of images, and the named metrics."""
    measured = card.evaluation.candidate
    return [
        {
            "place": "all images" if part.column is None else f"{part.column}: {part.value or '–'}",
            "pictures": part.pictures,
            "estimates": [part.metric(name) for name in names],
        }
        for part in (measured.overall, *measured.slices)
    ]
