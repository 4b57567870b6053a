"""The registered loss terms, and the class weights."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field

from common.settings import as_section
from components.trainer.losses.cross_entropy import CrossEntropyTerm
from components.trainer.losses.dice import DiceTerm
from components.trainer.losses.focal import FocalTerm
from components.trainer.losses.jaccard import JaccardTerm
from components.trainer.losses.lovasz import LovaszTerm
from components.trainer.losses.term import Term
from components.trainer.losses.tversky import TverskyTerm

LossTerm = Annotated[
    CrossEntropyTerm | FocalTerm | DiceTerm | JaccardTerm | TverskyTerm | LovaszTerm, Field(discriminator="type")
]
"""One term of the loss. A new one is a module beside this, with its settings and its function, and a name here."""

TERM_TYPES: tuple[type[Term], ...] = get_args(get_args(LossTerm)[0])


def _as_terms(value: Any) -> Any:
    """`dice` → `[{type: dice}]`, and likewise in a list."""
    listed = value if isinstance(value, (list, tuple)) else [value]
    return [as_section(term) for term in listed]


LossTerms = Annotated[tuple[LossTerm, ...], BeforeValidator(_as_terms)]
"""What is summed: a list of terms, or a name alone for a term with its defaults."""

ClassWeights = dict[str, Annotated[float, Field(ge=0)]]
"""Name of a class → what one of its pixels weighs."""


def given_class_weights(weights: ClassWeights | None, classes: Sequence[str]) -> tuple[float, ...] | None:
    """The weight of each class in the order of `classes`, 1 for one that is not named; `None` if none are given."""
    return None if weights is None else tuple(weights.get(name, 1.0) for name in classes)


def check_class_weights(weights: ClassWeights | None, terms: Sequence[LossTerm], classes: Sequence[str]) -> None:
    """Refuses weights that could do nothing.

    Raises:
        ValueError: a class is not known, all weights are 0, or no term is weighted.
    """
    if weights is None:
        return
    for name in weights:
        if name not in classes:
            close = difflib.get_close_matches(name, classes, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"there is {', '.join(classes)}"
            raise ValueError(f"trainer.class_weights: there is no class {name!r}; {hint}")
    if not any(given_class_weights(weights, classes) or ()):
        raise ValueError("trainer.class_weights: every class weighs 0, so that nothing would be learnt")
    if not any(term.weighted for term in terms):
        names = ", ".join(term.type for term in terms)
        weighted = " and ".join(kind.model_fields["type"].default for kind in TERM_TYPES if kind.weighted)
        raise ValueError(f"trainer.class_weights does nothing to {names}; only {weighted} are weighted")
