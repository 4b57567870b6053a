"""Configuration of the model card: what only people know about a model."""

from __future__ import annotations

from pydantic import Field

from common.settings import Settings


class Owner(Settings):
    """Who answers for the model."""

    name: str = Field(min_length=1, description="Person or team.", examples=["Mapping team"])
    contact: str = Field(default="", description="Where to reach them.")


class ModelCardConfig(Settings):
    """Texts of the model card that comes with each pushed version; measured facts are added to them.

    The sections are those of Mitchell et al. (2019), "Model Cards for Model Reporting".
    """

    overview: str = Field(default="", description="What the model is for, in a sentence or two.")
    owners: tuple[Owner, ...] = Field(
        default=(),
        description="Who answers for the model.",
        examples=["[{name: Mapping team}]"],
    )
    licenses: tuple[str, ...] = Field(
        default=(), description="Licences of the model, as SPDX identifiers.", examples=["[Apache-2.0]"]
    )
    data_licenses: tuple[str, ...] = Field(
        default=(), description="Licences of the data, as SPDX identifiers or names.", examples=["[CC-BY-4.0]"]
    )
    users: tuple[str, ...] = Field(default=(), description="Intended users.")
    uses: tuple[str, ...] = Field(default=(), description="Intended uses.")
    out_of_scope: tuple[str, ...] = Field(default=(), description="Uses that the model is not made for.")
    limitations: tuple[str, ...] = Field(
        default=(), description="Known limitations, beside those that the card derives from data and evaluation."
    )
    ethical_considerations: tuple[str, ...] = Field(default=(), description="Risks to people and remedies.")
    references: tuple[str, ...] = Field(default=(), description="Links to papers, data sheets, documentation.")
