"""A model card as page, as JSON of the Model Card Toolkit, and as Markdown of Hugging Face's Hub.

Of the same cards, `jsonschema` 4 accepted the JSON against the schema in model-card-toolkit 2.0.0 (v0.0.2, which
admits no further fields), and `ModelCard.load` of huggingface_hub 2.4 read the Markdown with licence, task and figures.
"""

from __future__ import annotations

import html.parser
import json
import re
from typing import Any

import pytest
import yaml

from components.pusher.card.facts import Card, make_card
from components.pusher.card.forms import card_forms
from registry.cards import FORMS
from tests.support.model_card import CONFIG, manifest

HOSTILE = "<script>alert(1)</script> | [x](javascript:1) `"


@pytest.fixture
def make(data, evaluate):  # type: ignore[no-untyped-def]
    def card(**texts: Any) -> Card:
        return make_card(manifest(), {**CONFIG, "model_card": texts}, data, evaluate())

    return card


def test_there_is_a_text_of_each_form(make) -> None:  # type: ignore[no-untyped-def]
    assert set(card_forms(make())) == set(FORMS)


def test_the_toolkit_gets_its_fields_and_figures_as_texts(make) -> None:  # type: ignore[no-untyped-def]
    fields = json.loads(
        card_forms(
            make(
                owners=[{"name": "Maps"}],
                licenses=["Apache-2.0"],
                data_licenses=["CC-BY-4.0"],
                uses=["count"],
                out_of_scope=["diagnose"],
            )
        )["json"]
    )
    assert set(fields) == {
        "schema_version",
        "model_details",
        "model_parameters",
        "quantitative_analysis",
        "considerations",
    }
    assert fields["model_details"]["version"] == {"name": "3", "date": "2026-11-27"}
    assert fields["model_details"]["licenses"] == [{"identifier": "Apache-2.0"}]
    assert fields["considerations"]["use_cases"] == [
        {"description": "count"},
        {"description": "Out of scope: diagnose"},
    ]
    assert fields["model_parameters"]["data"][0]["description"].endswith("licences: CC-BY-4.0")
    assert fields["quantitative_analysis"]["performance_metrics"][0] == {
        "type": "mean_iou",
        "value": "0.8",
        "slice": "overall",
    }


def test_the_hub_gets_licence_task_and_figures(make) -> None:  # type: ignore[no-untyped-def]
    _, head, body = card_forms(make(licenses=["Apache-2.0"]))["md"].split("---\n", 2)
    metadata = yaml.safe_load(head)
    assert (metadata["license"], metadata["pipeline_tag"]) == ("apache-2.0", "image-segmentation")
    [model] = metadata["model-index"]
    [results] = model["results"]
    assert results["dataset"]["split"] == "test"
    assert results["metrics"][0] == {"type": "mean_iou", "value": 0.8, "name": "Mean IoU"}
    assert "# nuclei, version 3" in body


def test_the_page_needs_nothing_else_and_no_text_is_markup(make) -> None:  # type: ignore[no-untyped-def]
    page = card_forms(make(overview=HOSTILE, uses=[HOSTILE], owners=[{"name": HOSTILE, "contact": HOSTILE}]))["html"]
    found: list[tuple[str, Any]] = []

    class Tags(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            found.append((tag, attrs))

    Tags().feed(page)
    assert {tag for tag, _ in found}.isdisjoint({"script", "link", "img", "iframe", "a"})
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 4


def test_no_text_is_markup_in_markdown(make) -> None:  # type: ignore[no-untyped-def]
    text = card_forms(make(overview=HOSTILE, limitations=[HOSTILE]))["md"]
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\[x", text)
