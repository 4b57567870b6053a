"""The card as Markdown with the metadata that Hugging Face's Hub reads.

The names of the metadata are those of `huggingface_hub.ModelCardData` 2.4 (`repocard_data.py`), the figures its
`model-index`.
"""

from __future__ import annotations

from typing import Any

import yaml

from components.pusher.card.facts import Card, Figure
from components.pusher.card.page import environment

TASK = "image-segmentation"


def hub_markdown(card: Card) -> str:
    """Returns the card as Markdown."""
    body = environment().get_template("card.md").render(card=card)
    head = yaml.safe_dump(hub_metadata(card), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n{body}"


def hub_metadata(card: Card) -> dict[str, Any]:
    """Returns the metadata at the top; of the licences, the first is named as the Hub does, in lower case."""
    metadata: dict[str, Any] = {
        "library_name": "tf-keras",
        "pipeline_tag": TASK,
        "tags": ["segpipe", "semantic-segmentation"],
        "model_name": card.name,
        "metrics": sorted({figure.metric.partition("/")[0] for figure in card.figures}),
        "model-index": [{"name": card.name, "results": [_results(card, "")]}],
    }
    if card.texts.licenses:
        metadata["license"] = card.texts.licenses[0].lower()
    return metadata


def _results(card: Card, place: str) -> dict[str, Any]:
    return {
        "task": {"type": TASK},
        "dataset": {
            "type": card.name,
            "name": f"{card.name}, {card.evaluation.split} split",
            "split": card.evaluation.split,
            "revision": card.data.data_fingerprint,
        },
        "metrics": [_metric(figure) for figure in card.figures if figure.slice == place],
    }


def _metric(figure: Figure) -> dict[str, Any]:
    assert figure.estimate.value is not None  # As `Card.figures` promises.
    return {"type": figure.metric, "value": round(figure.estimate.value, 6), "name": figure.label}
