"""Equal causes are told once, with their count."""

from __future__ import annotations

from typing import Any

from components.example_gen.causes import describe_causes, group_causes
from components.example_gen.config import ManifestSource
from components.example_gen.quarantine import Quarantined, Reason
from tests.support.data_set import DataSet


def entry(name: str, **changes: Any) -> Quarantined:
    return Quarantined(**{"id": name, "reason": Reason.UNREADABLE, "detail": f"{name} is broken"} | changes)


def test_a_cause_is_told_once_with_its_count_an_example_and_the_remedy() -> None:
    entries = [entry(f"p{n}", cause="is broken", remedy="mend it") for n in range(34)] + [entry("q")]
    assert describe_causes(group_causes(entries), 20) == [
        "34 × unreadable: is broken; for example p0: p0 is broken; mend it",
        "q: unreadable: q is broken",
    ]


def test_entries_without_a_cause_are_grouped_by_their_detail() -> None:
    entries = [entry(name, detail="is empty") for name in "abc"]
    assert describe_causes(group_causes(entries), 20) == ["3 × unreadable: is empty; the first is a"]


def test_one_cause_under_two_reasons_is_two() -> None:
    entries = [entry("a", cause="x"), entry("b", cause="x", reason=Reason.LEAK)]
    assert len(group_causes(entries)) == 2


def test_what_is_not_shown_is_counted() -> None:
    entries = [entry(str(n)) for n in range(5)] + [entry("a", cause="c"), entry("b", cause="c")]
    assert describe_causes(group_causes(entries), 2)[-1] == "… and 4 more for 4 other causes"


def test_the_account_keeps_each_entry_and_the_causes(data_set: DataSet) -> None:
    data_set.add("a")
    rows = "".join(f"images/a.png,masks/{n}.png\n" for n in range(34))
    data_set.write("index.csv", b"image,mask,split\n" + rows.replace("\n", ",train\n").encode())
    summary, quarantined = data_set.survey(source=ManifestSource(root=str(data_set.root)))
    assert len(quarantined) == 34
    [cause] = summary.causes
    assert (cause.reason, cause.count) == (Reason.MISSING_MASK, 34)
    assert cause.cause == "names a mask that does not exist below the root"
    assert any("the column 'split' gives the splits (34 train" in note for note in summary.notes)
