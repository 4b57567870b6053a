from __future__ import annotations

import datetime

from registry.canary_policy import CanaryPolicy
from registry.serving_record import MOST_DECISIONS, CanaryDecision, ServingRecord

NOW = datetime.datetime(2026, 11, 20, tzinfo=datetime.timezone.utc)


def _served(*versions: int) -> ServingRecord:
    record = ServingRecord()
    for version in versions:
        record = record.serve(version, NOW)
    return record


def test_going_back_twice_goes_back_two_versions():
    record = _served(1, 2, 3)
    for expected in (2, 1):
        assert record.before({1, 2, 3}) == expected
        record = record.roll_back(expected, NOW)
    assert record.before({1, 2, 3}) is None
    assert record.withdrawn == (2, 3)


def test_going_to_a_withdrawn_version_takes_the_rollback_back():
    record = _served(1, 2).roll_back(1, NOW).roll_back(2, NOW)
    assert (record.served, record.withdrawn) == (2, ())
    assert record.before({1, 2}) == 1


def test_serving_a_withdrawn_version_takes_the_withdrawal_back():
    record = _served(1, 2).roll_back(1, NOW).serve(2, NOW)
    assert (record.served, record.withdrawn) == (2, ())


def test_what_is_served_already_changes_nothing():
    record = _served(1, 2)
    assert record.serve(2, NOW) is record
    assert record.roll_back(2, NOW) is record


def test_a_version_that_was_only_superseded_is_not_withdrawn():
    assert _served(1, 2, 1).withdrawn == ()


def test_the_history_tells_rollbacks_from_pushes():
    history = _served(1, 2).roll_back(1, NOW).history
    assert [(change.version, change.rollback) for change in history] == [(1, False), (2, False), (1, True)]


def test_labels_are_the_served_version_and_the_canary():
    assert ServingRecord().labels() == {}
    assert _served(1).labels() == {"stable": 1}
    assert _served(1).start_canary(2, 10, NOW).labels() == {"stable": 1, "canary": 2}


def test_a_canary_that_is_served_is_none_any_more():
    record = _served(1).start_canary(2, 10, NOW)
    assert record.serve(2, NOW).labels() == {"stable": 2}
    assert record.roll_back(2, NOW).labels() == {"stable": 2}


def test_a_canary_stays_while_others_are_served():
    record = _served(1, 2).start_canary(3, 10, NOW)
    assert record.serve(1, NOW).labels() == {"stable": 1, "canary": 3}
    assert record.roll_back(1, NOW).labels() == {"stable": 1, "canary": 3}


def test_a_canary_that_is_given_up_is_withdrawn_and_may_be_tried_again():
    record = _served(1).start_canary(2, 10, NOW).abort_canary()
    assert (record.labels(), record.withdrawn) == ({"stable": 1}, (2,))
    again = record.start_canary(2, 20, NOW)
    assert (again.canary.percent, again.withdrawn) == (20, ())


def test_without_a_canary_there_is_none_to_give_up():
    record = _served(1)
    assert record.abort_canary() is record


def test_a_record_from_before_there_were_canaries_is_read():
    assert ServingRecord.model_validate_json('{"served": 3}').labels() == {"stable": 3}


def _decision(version: int, outcome: str) -> CanaryDecision:
    return CanaryDecision.model_validate(
        {
            "version": version,
            "stable": 1,
            "outcome": outcome,
            "reason": "error rate",
            "images": 50,
            "began": NOW,
            "decided": NOW,
        }
    )


def test_a_decision_changes_the_labels_and_is_kept_with_its_reason():
    tried = _served(1).start_canary(2, 10, NOW, CanaryPolicy())
    promoted = tried.decide(_decision(2, "promoted"))
    assert (promoted.labels(), promoted.withdrawn) == ({"stable": 2}, ())
    rolled_back = tried.decide(_decision(2, "rolled_back"))
    assert (rolled_back.labels(), rolled_back.withdrawn) == ({"stable": 1}, (2,))
    assert rolled_back.decisions == (_decision(2, "rolled_back"),)
    assert rolled_back.serve(2, NOW).decisions == rolled_back.decisions
    assert rolled_back.start_canary(2, 10, NOW).roll_back(2, NOW).decisions == rolled_back.decisions


def test_only_the_last_decisions_are_kept():
    record = _served(1)
    for version in range(2, 2 * MOST_DECISIONS):
        record = record.start_canary(version, 10, NOW, CanaryPolicy()).decide(_decision(version, "rolled_back"))
    assert [each.version for each in record.decisions] == list(range(MOST_DECISIONS, 2 * MOST_DECISIONS))


def test_a_decision_is_told_once():
    record = _served(1).start_canary(2, 10, NOW, CanaryPolicy()).decide(_decision(2, "promoted"))
    told = record.notified(record.decisions[0])
    assert told.decisions[0].notified
    assert told.notified(record.decisions[0]) == told


def test_a_record_without_automatic_canaries_is_one_that_earlier_releases_read():
    written = _served(1).start_canary(2, 10, NOW).model_dump_json()
    assert "policy" not in written
    assert "decisions" not in written
    tried = _served(1).start_canary(2, 10, NOW, CanaryPolicy(percent=5)).decide(_decision(2, "promoted"))
    assert ServingRecord.model_validate_json(tried.model_dump_json()) == tried
