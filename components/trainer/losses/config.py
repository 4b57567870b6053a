"""Which losses are summed, and what a class weighs in them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from common.settings import Settings

Factor = Annotated[float, Field(gt=0, description="What the term is multiplied by in the sum.")]


class CrossEntropyTerm(Settings):
    """Weighted cross-entropy: binary on the one logit that stands for two classes, categorical on several."""

    type: Literal["cross_entropy"] = "cross_entropy"
    factor: Factor = 1.0
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="Share of the truth that is spread evenly over all classes."
    )


class FocalTerm(Settings):
    """Weighted cross-entropy in which sure pixels count less (Lin et al. 2017)."""

    type: Literal["focal"] = "focal"
    factor: Factor = 1.0
    gamma: float = Field(default=2.0, ge=0, le=10, description="How much less; 0 makes it the cross-entropy.")


class DiceTerm(Settings):
    """1 − the soft Dice coefficient, mean over the classes that the batch's truth holds."""

    type: Literal["dice"] = "dice"
    factor: Factor = 1.0


class JaccardTerm(Settings):
    """1 − the soft IoU, mean over the classes that the batch's truth holds."""

    type: Literal["jaccard"] = "jaccard"
    factor: Factor = 1.0


class TverskyTerm(Settings):
    """1 − the soft Tversky index (Salehi et al. 2017), mean over the classes that the batch's truth holds."""

    type: Literal["tversky"] = "tversky"
    factor: Factor = 1.0
    alpha: float = Field(default=0.3, ge=0, le=1, description="What a false positive weighs.")
    beta: float = Field(default=0.7, ge=0, le=1, description="What a missed pixel weighs.")


class LovaszTerm(Settings):
    """The Lovász extension of 1 − IoU (Berman et al. 2018): its hinge on one logit, Lovász-softmax on several."""

    type: Literal["lovasz"] = "lovasz"
    factor: Factor = 1.0


LossTerm = Annotated[
    CrossEntropyTerm | FocalTerm | DiceTerm | JaccardTerm | TverskyTerm | LovaszTerm, Field(discriminator="type")
]
"""One summand."""


def _as_terms(value: Any) -> Any:
    """`dice` → `[{type: dice}]`, and likewise in a list."""
    listed = value if isinstance(value, (list, tuple)) else [value]
    return [{"type": term} if isinstance(term, str) else term for term in listed]


LossTerms = Annotated[tuple[LossTerm, ...], BeforeValidator(_as_terms)]
"""What is summed: a list of terms, or a name alone for a term with its defaults."""

ClassWeights = dict[str, Annotated[float, Field(ge=0)]]
"""Name of a class → what one of its pixels weighs."""

WEIGHTED = (CrossEntropyTerm, FocalTerm)
"""The terms in which a pixel has a weight; the others give each class the same say by what they are."""


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
    if not any(isinstance(term, WEIGHTED) for term in terms):
        names = ", ".join(term.type for term in terms)
        raise ValueError(f"trainer.class_weights does nothing to {names}; only cross_entropy and focal are weighted")
