from __future__ import annotations

import subprocess
import sys

import pytest
from rich.console import Console

from registry.errors import NoRegistryError
from registry.listing import WIDTH, version_rows, versions_table
from registry.store import Registry


def test_a_row_tells_what_a_version_is_and_how_it_was_judged(uri, push):
    push(uri, "a")
    second = push(uri, "b", baseline_version=1, metrics={"mean_iou": 0.9})
    rows = version_rows(uri)
    assert [(row.version, row.served, row.judged_against) for row in rows] == [(1, False, None), (2, True, 1)]
    assert (rows[0].mean_iou, rows[0].mean_dice, rows[1].mean_dice) == (0.81, 0.89, None)
    assert rows[1].content_hash == second.content_hash[:12]
    assert rows[1].data_fingerprint == "d" * 12


def test_the_table_marks_what_is_served_and_what_was_withdrawn(uri, push):
    push(uri, "a")
    push(uri, "b")
    Registry(uri).rollback()
    console = Console(width=120)
    with console.capture() as capture:
        console.print(versions_table(version_rows(uri)))
    _, first, second = capture.get().splitlines()
    assert "served" in first
    assert "0.8100" in first
    assert "withdrawn" in second


def test_the_table_marks_what_is_tried_out_and_on_how_many_requests(uri, push):
    push(uri, "a")
    push(uri, "b", serve=False)
    Registry(uri).start_canary(2, 10)
    assert [row.canary_percent for row in version_rows(uri)] == [None, 10]
    console = Console(width=120)
    with console.capture() as capture:
        console.print(versions_table(version_rows(uri)))
    assert "canary 10%" in capture.get().splitlines()[2]


def test_means_over_some_of_the_classes_are_marked(uri, push):
    push(
        uri,
        "a",
        metrics={"mean_iou": 0.9, "iou/ground": 0.9, "iou/roof": 0.9},
        config={"data": {"classes": ["ground", "roof", "rare"]}},
    )
    assert version_rows(uri)[0].unmeasured == ("rare",)
    console = Console(width=WIDTH)
    with console.capture() as capture:
        console.print(versions_table(version_rows(uri)))
    assert "…" not in capture.get()
    assert "0.9000*" in capture.get()
    assert capture.get().splitlines()[-1].rstrip() == "* version 1 is not measured on: rare"


def test_a_registry_without_versions_is_named(uri):
    with pytest.raises(NoRegistryError, match=uri):
        version_rows(uri)


def test_a_listing_needs_no_heavy_package():
    heavy = "{'tensorflow', 'tfx', 'numpy', 'fsspec', 'apache_beam'} & set(sys.modules)"
    code = f"import sys, registry.listing, registry.state; print({heavy})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
