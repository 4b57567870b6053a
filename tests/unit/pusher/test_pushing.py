from __future__ import annotations

from pathlib import Path

import pytest

from components.pusher.pushing import Candidate, overall_metrics, push_if_blessed, refusal, software_versions
from registry.canary_policy import CanaryPolicy
from registry.cards import FORMS
from registry.state import registry_state, served_in


@pytest.fixture
def run(registry, make_model, evaluate, data):
    """What a run does that makes the model of the given text: judges it against what is served, and pushes it."""

    def judge_and_push(text: str, blessed: bool = True, meanwhile=lambda: None, policy=None, **config):
        served = served_in(registry_state(registry.uri))
        meanwhile()
        candidate = Candidate(
            model_dir=f"{make_model(text)}/Format-Serving",
            model_name="nuclei",
            data=data,
            config={"name": "nuclei", **config},
            evaluation=evaluate(blessed, served),
            canary_policy=policy,
        )
        return push_if_blessed(registry, candidate, served)

    return judge_and_push


def _outcome(result):
    return result.pushed, result.version, result.served


def test_a_blessed_model_becomes_a_version_and_is_served(registry, run):
    result = run("a")
    assert _outcome(result) == (True, 1, 1)
    assert result.note == "version 1 pushed and served"
    assert result.registry == registry.uri
    assert registry.served() == 1


def test_the_manifest_says_where_the_version_comes_from(registry, run):
    run("a")
    run("b")
    manifest = registry.manifest(2)
    assert manifest.baseline_version == 1
    assert manifest.data_fingerprint == "d"
    assert manifest.config == {"name": "nuclei"}
    assert manifest.metrics["mean_iou"] == 0.8
    assert {"tfx", "tensorflow"} <= set(manifest.software)


def test_each_version_has_a_card_in_every_form(registry, run):
    run("a", model_card={"overview": "Finds nuclei."})
    assert all("Finds nuclei." in registry.card(1, form) for form in FORMS)


def test_a_later_text_is_in_the_card_of_the_same_version(registry, run):
    run("a", model_card={"overview": "Finds nuclei."})
    assert run("a", model_card={"overview": "Finds cells."}).version == 1
    assert "Finds cells." in registry.card(1, "html")


def test_a_model_that_is_not_blessed_changes_nothing(registry, run):
    result = run("a", blessed=False)
    assert _outcome(result) == (False, None, None)
    assert result.note == "not blessed (mean_iou 0.4 on overall against the threshold 0.75): nothing is served"
    assert not Path(registry.uri).exists()
    run("b")
    assert run("a", blessed=False).note.endswith(": version 1 stays")
    assert [manifest.version for manifest in registry.versions()] == [1]


def test_the_same_model_again_is_no_second_version(run):
    run("a")
    result = run("a")
    assert _outcome(result) == (False, 1, 1)
    assert result.note == "version 1 holds this model already and is served"


def test_a_push_that_died_before_serving_is_completed(registry, run, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    run("a")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(registry, "serve_in_place_of", die)
        run("b")
    assert registry.served() == 1
    result = run("b")
    assert _outcome(result) == (False, 2, 2)
    assert result.note == "version 2 holds this model already, now served"


def test_no_run_undoes_a_rollback(registry, run):
    run("a")
    run("b")
    registry.rollback()
    result = run("b")
    assert _outcome(result) == (False, 2, 1)
    assert result.note == "version 2 holds this model already but was rolled back: version 1 stays"


def test_after_a_rollback_a_new_model_is_served(registry, run):
    run("a")
    run("b")
    registry.rollback()
    assert _outcome(run("c")) == (True, 3, 3)


def test_a_model_that_was_only_superseded_may_come_back(run):
    run("a")
    run("b")
    assert _outcome(run("a")) == (False, 1, 1)


def test_a_model_is_not_served_in_place_of_one_that_it_was_not_judged_against(registry, run):
    run("a")
    result = run("c", meanwhile=lambda: run("b"))
    assert _outcome(result) == (True, 3, 2)
    assert result.note == (
        "version 3 pushed but not served, because version 1 was served when it was evaluated: version 2 stays; "
        "run again to compare it with what is served now"
    )
    assert _outcome(run("c")) == (False, 3, 3)


def test_a_rollback_during_the_run_stands(registry, run):
    run("a")
    run("b")
    assert _outcome(run("c", meanwhile=registry.rollback)) == (True, 3, 1)


def test_metrics_of_absent_classes_are_left_out(evaluate):
    assert overall_metrics(evaluate()) == {
        "mean_iou": 0.8,
        "mean_dice": 0.85,
        "pixel_accuracy": 0.9,
        "iou/ground": 0.8,
        "dice/ground": 0.85,
    }


def test_a_refusal_names_the_first_failed_check_and_counts_the_others(evaluate):
    evaluation = evaluate(blessed=False)
    verdict = evaluation.verdict.model_copy(update={"checks": evaluation.verdict.checks * 3})
    assert refusal(evaluation.model_copy(update={"verdict": verdict})) == (
        "mean_iou 0.4 on overall against the threshold 0.75, and 2 more"
    )


def test_software_that_is_not_installed_is_left_out(monkeypatch):
    import importlib.metadata

    def version(package: str) -> str:
        if package == "segpipe":
            raise importlib.metadata.PackageNotFoundError
        return "1"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert software_versions() == {"tfx": "1", "tensorflow": "1"}


# ---- as a canary -----------------------------------------------------------------------------------------------------

POLICY = CanaryPolicy(percent=5)


def test_the_first_version_is_served_at_once(registry, run):
    result = run("a", policy=POLICY)
    assert (_outcome(result), result.canary) == ((True, 1, 1), None)
    assert result.note == (
        "version 1 pushed and served at once: no version was served that a canary could be compared with"
    )


def test_a_later_version_is_the_canary_with_its_policy(registry, run):
    run("a")
    result = run("b", policy=POLICY)
    assert (_outcome(result), result.canary) == ((True, 2, 1), 2)
    assert result.note == "version 2 pushed and is the canary: it shadows 5 % of the requests beside version 1"
    assert registry.canary().policy == POLICY
    since = registry.canary().since
    assert run("b", policy=POLICY).note.startswith("version 2 holds this model already and is the canary")
    assert registry.canary().since == since, "its time goes on"


def test_a_newer_version_takes_the_place_of_an_undecided_canary(registry, run):
    run("a")
    run("b", policy=POLICY)
    result = run("c", policy=POLICY)
    assert result.canary == 3
    assert result.note.endswith("; version 2, the canary until now, was not decided")
    assert registry.withdrawn() == ()


def test_the_canary_of_a_person_stays(registry, run):
    run("a")
    run("b", policy=POLICY)
    registry.start_canary(2, 50)
    result = run("c", policy=POLICY)
    assert (_outcome(result), result.canary) == ((True, 3, 1), 2)
    assert "is not the canary, because a person has started version 2 as canary" in result.note


def test_a_version_that_was_rolled_back_is_not_tried_again(registry, run):
    run("a")
    run("b", policy=POLICY)
    registry.abort_canary()
    result = run("b", policy=POLICY)
    assert (_outcome(result), result.canary) == ((False, 2, 1), None)
    assert result.note == "version 2 holds this model already but was rolled back: version 1 stays"


def test_a_version_is_no_canary_beside_one_that_it_was_not_judged_against(registry, run):
    run("a")
    result = run("c", policy=POLICY, meanwhile=lambda: run("b"))
    assert (_outcome(result), result.canary) == ((True, 3, 2), None)
    assert "not served, because version 1 was served when it was evaluated" in result.note
