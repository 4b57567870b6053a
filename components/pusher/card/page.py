"""The card as one HTML page, without scripts, files or external URLs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2

from components.evaluator.results import Estimate
from components.pusher.card.facts import Card

_TEMPLATES = Path(__file__).parent / "templates"


def card_page(card: Card) -> str:
    """Renders the page.  Every text of the card is untrusted and escaped."""
    return environment().get_template("card.html").render(card=card).lstrip()


def environment() -> jinja2.Environment:
    """Returns the environment of the templates: the page is escaped by itself, Markdown by the filter `plain`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(ratio=_ratio, interval=_interval, plain=_plain, share=_share)
    environment.globals.update(by_metric=_by_metric)
    return environment


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(estimate: Estimate) -> str:
    return "" if estimate.low is None or estimate.high is None else f"{estimate.low:.3f}–{estimate.high:.3f}"


def _share(pixels: int, total: int) -> str:
    return f"{100 * pixels / total:.2g} %" if total else "–"


def _plain(text: Any) -> str:
    """Escapes a text for Markdown and HTML, on one line."""
    escaped = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_{}\[\]#|>~])", r"\\\1", escaped)


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
