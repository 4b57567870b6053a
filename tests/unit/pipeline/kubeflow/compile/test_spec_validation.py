"""Each rule refuses a spec that breaks it, by the task's name and the reason."""

from __future__ import annotations

import pytest

from common.errors import UserError
from pipeline.kubeflow.compile.spec_validation import check_spec, problems
from tests.support.small_spec import BROKEN, broken, small_spec


def test_a_sound_spec_has_no_problem() -> None:
    assert list(problems(small_spec())) == []


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_spec_is_refused_with_the_place_and_the_reason(case: str) -> None:
    found = list(problems(broken(case)))
    assert any(problem.where == BROKEN[case].where and BROKEN[case].words in problem.reason for problem in found), found


def test_all_problems_are_told_at_once() -> None:
    spec = broken("no image")
    spec["schemaVersion"] = "2.0.0"
    with pytest.raises(UserError, match=r"schemaVersion: must be 2\.1\.0.*; first: has no image"):
        check_spec(spec)


def test_whole_numbers_are_numbers_but_truth_is_none() -> None:
    spec = small_spec()
    number = spec["root"]["inputDefinitions"]["parameters"]["number"]
    number["defaultValue"] = 1.0
    assert list(problems(spec)) == []
    number["defaultValue"] = True
    assert [problem.where for problem in problems(spec)] == ["root"]


def test_what_the_driver_puts_in_may_have_its_braces() -> None:
    spec = small_spec()
    word = {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}}
    spec["components"]["comp-group"]["dag"]["tasks"]["second"]["inputs"]["parameters"]["word"] = word
    assert list(problems(spec)) == []
