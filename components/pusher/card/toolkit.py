"""The card in the fields of the Model Card Toolkit, as TFX's addon writes them.

The schema is `model_card_toolkit/schema/v0.0.2/model_card.schema.json` of the package model-card-toolkit 2.0.0, which
can render it; all figures are texts there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from common.plurals import counted
from components.pusher.card.facts import Card, Figure

SCHEMA_VERSION = "0.0.2"


def toolkit_fields(card: Card) -> dict[str, Any]:
    """Returns the card as the toolkit's JSON."""
    texts = card.texts
    return {
        "schema_version": SCHEMA_VERSION,
        "model_details": {
            "name": card.name,
            "overview": card.overview,
            "owners": [owner.model_dump() for owner in texts.owners],
            "version": {"name": str(card.version.version), "date": card.created.date().isoformat()},
            "licenses": [{"identifier": identifier} for identifier in texts.licenses],
            "references": [{"reference": reference} for reference in texts.references],
        },
        "model_parameters": {
            "model_architecture": card.architecture,
            "data": [_data(card, split) for split in card.data.used],
            "input_format": card.input,
            "output_format": " ".join([card.output, *(f"Also as {form.note}." for form in card.exports)]),
        },
        "quantitative_analysis": {"performance_metrics": [_metric(figure) for figure in card.figures]},
        "considerations": {
            "users": _described(texts.users),
            "use_cases": _described((*texts.uses, *(f"Out of scope: {use}" for use in texts.out_of_scope))),
            "limitations": _described(card.limitations),
            "ethical_considerations": [{"name": risk} for risk in texts.ethical_considerations],
        },
    }


def _described(texts: Iterable[str]) -> list[dict[str, str]]:
    return [{"description": text} for text in texts]


def _data(card: Card, split: str) -> dict[str, str]:
    pairs = f"{counted(card.data.used[split], 'pair')} of image and mask, fingerprint {card.data.data_fingerprint}"
    licences = ", ".join(card.texts.data_licenses)
    return {"name": split, "description": f"{pairs}; licences: {licences}" if licences else pairs}


def _metric(figure: Figure) -> dict[str, Any]:
    estimate = figure.estimate
    metric: dict[str, Any] = {
        "type": figure.metric,
        "value": f"{estimate.value:.6g}",
        "slice": figure.slice or "overall",
    }
    if estimate.low is not None and estimate.high is not None:
        metric["confidence_interval"] = {
            "lower_bound": f"{estimate.low:.6g}",
            "upper_bound": f"{estimate.high:.6g}",
        }
    return metric
