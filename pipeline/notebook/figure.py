"""A chart of the report that a notebook shows by itself."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from components.report import page

_STYLE = Path(page.__file__).parent / "templates" / "page.css"
_PAGE = '<!doctype html><meta charset="utf-8"><title>{}</title><style>{}body{{padding:8px;max-width:none}}</style>{}'


@dataclass(frozen=True)
class Figure:
    """A chart with the report's colours, in a frame of its own, so that the notebook's styles do not meet them."""

    title: str
    svg: Markup
    height: int = 320
    """Of the frame, pixels."""

    def page(self) -> str:
        """Returns the chart as an HTML page of its own."""
        return _PAGE.format(html.escape(self.title), _STYLE.read_text(encoding="utf-8"), self.svg)

    def _repr_html_(self) -> str:
        """Called by Jupyter."""
        return (
            f'<iframe title="{html.escape(self.title)}" sandbox width="620" height="{self.height}" '
            f'style="border:0;max-width:100%" srcdoc="{html.escape(self.page())}"></iframe>'
        )
