"""Figures in a notebook: in a frame of their own, which runs nothing."""

from __future__ import annotations

import html

from markupsafe import Markup

from pipeline.notebook.figure import Figure


def test_a_figure_is_a_sandboxed_frame_with_its_page() -> None:
    figure = Figure('Loss of "a" & b', Markup("<svg><text>x</text></svg>"))
    shown = figure._repr_html_()
    assert shown.startswith('<iframe title="Loss of &quot;a&quot; &amp; b" sandbox ')
    assert shown.count("<") == 2, "what the frame holds is an attribute"
    assert "<svg><text>x</text></svg>" in html.unescape(shown)
