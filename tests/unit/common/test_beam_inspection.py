"""What Beam is told by the memory is what it would find itself."""

from __future__ import annotations

import functools
import gc
import inspect
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.coders import VarIntCoder
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions
from apache_beam.transforms import core, userstate
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec

from common.beam_inspection import Arguments, _once_per_function, _once_per_object, remember_inspections

STATE = ReadModifyWriteStateSpec("seen", VarIntCoder())
SEEN = beam.DoFn.StateParam(STATE)


class Stateful(beam.DoFn):
    """Counts the values of each key."""

    def process(self, element, seen=SEEN):  # type: ignore[no-untyped-def]
        seen.write((seen.read() or 0) + 1)
        yield element[0], seen.read()


class Partial(beam.DoFn):
    """Its method is no plain function."""

    process = functools.partial(lambda element: [element])


@pytest.fixture(autouse=True)
def remembering() -> None:
    remember_inspections()


def test_the_state_of_a_dofn_is_found_each_time() -> None:
    stateful, plain = Stateful(), beam.DoFn()
    for _ in range(2):
        assert userstate.get_dofn_specs(stateful) == ({STATE}, set())
        assert userstate.get_dofn_specs(plain) == (set(), set())
        assert userstate.is_stateful_dofn(stateful)
        assert not userstate.is_stateful_dofn(plain)


def test_the_arguments_of_a_function_and_of_the_methods_made_of_it_are_those_that_beam_finds() -> None:
    find = inspect.unwrap(core.get_function_args_defaults)
    for _ in range(2):
        for each in (Stateful().process, Stateful().process, Stateful.process, Stateful, _same, len, Partial().process):
            assert core.get_function_args_defaults(each) == find(each), each
    assert core.get_function_args_defaults(Stateful().process) == (["element", "seen"], [SEEN])
    assert core.get_function_args_defaults(Stateful.process) == (["self", "element", "seen"], [SEEN])


def test_a_function_is_inspected_once_for_all_objects_and_nobody_can_change_what_is_remembered() -> None:
    looked = []

    def arguments_of(function: Any) -> Arguments:
        looked.append(function)
        return ["element"], []

    remembered = _once_per_function(arguments_of)
    remembered(Stateful().process)[0].clear()
    assert remembered(Stateful().process) == (["element"], [])
    assert len(looked) == 1
    remembered(Stateful.process)
    assert len(looked) == 2


def test_a_view_and_its_options_change_together() -> None:
    options = PipelineOptions(["--runner=FnApiRunner"])
    view = options.view_as(StandardOptions)
    assert view.runner == "FnApiRunner"
    options.view_as(StandardOptions).runner = "Other"
    assert view.runner == "Other"
    assert options.get_all_options()["runner"] == "Other"
    assert PipelineOptions(["--runner=FnApiRunner"]).view_as(StandardOptions).runner == "FnApiRunner"
    assert isinstance(view.view_as(TypeOptions), TypeOptions)


def test_a_pipeline_with_state_gives_its_result() -> None:
    pairs = [("a", 1), ("b", 2), ("a", 3)]
    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        counted = pipeline | beam.Create(pairs) | beam.ParDo(Stateful()) | beam.combiners.ToList()
        counted | beam.Map(lambda counts: _same(sorted(counts), [("a", 1), ("a", 2), ("b", 1)]))


def _same(found: list[tuple[str, int]], expected: list[tuple[str, int]]) -> None:
    assert found == expected


def test_a_thing_is_looked_at_once_and_forgotten_when_it_is_gone() -> None:
    looked: list[tuple[object, ...]] = []

    class Thing:
        """What compares equal to all others."""

        def __eq__(self, other: object) -> bool:
            return True

    def look(thing: Thing, *more: object) -> int:
        looked.append(more)
        return len(looked)

    remembered = _once_per_object(look)
    thing, other = Thing(), Thing()
    assert [remembered(thing), remembered(thing), remembered(other), remembered(thing, "view")] == [1, 1, 2, 3]
    known = next(cell.cell_contents for cell in remembered.__closure__ if isinstance(cell.cell_contents, dict))  # type: ignore[attr-defined]
    assert len(known) == 2
    del thing, other
    gc.collect()
    assert not known
