from __future__ import annotations

import shutil

import pytest

from common.errors import UserError
from registry.state import baseline_of, holdings_state, registry_state, served_in
from registry.store import Registry


def test_the_state_is_the_served_version_with_its_content(uri, push):
    assert registry_state(uri) == "none"
    first = push(uri, "a")
    assert registry_state(uri) == f"1:{first.content_hash}"
    push(uri, "b", serve=False)
    assert registry_state(uri) == f"1:{first.content_hash}"


def test_a_rollback_brings_the_earlier_state_back(uri, push):
    push(uri, "a")
    before = registry_state(uri)
    push(uri, "b")
    assert registry_state(uri) != before
    Registry(uri).rollback()
    assert registry_state(uri) == before


def test_the_baseline_is_the_version_of_the_state_whatever_is_served_by_now(uri, push):
    assert baseline_of(uri, registry_state(uri)) is None
    push(uri, "a")
    state = registry_state(uri)
    push(uri, "b")
    assert baseline_of(uri, state).version == 1


def test_a_baseline_whose_number_means_another_model_by_now_is_refused(local_uri, push):
    push(local_uri, "a")
    state = registry_state(local_uri)
    shutil.rmtree(local_uri)
    push(local_uri, "b")
    with pytest.raises(UserError, match=r"version 1 .* is not the one that was served when the run began"):
        baseline_of(local_uri, state)


def test_holdings_do_not_change_by_what_is_served(uri, push):
    push(uri, "a")
    push(uri, "b")
    before = holdings_state(uri)
    Registry(uri).rollback()
    assert holdings_state(uri) == before


def test_holdings_never_come_back_after_a_loss(uri, push, tamper):
    states = [holdings_state(uri)]
    push(uri, "a")
    states.append(holdings_state(uri))
    push(uri, "b")
    states.append(holdings_state(uri))
    tamper(uri, "manifests/2.json", None)
    states.append(holdings_state(uri))
    push(uri, "b")
    states.append(holdings_state(uri))
    assert len(set(states)) == len(states)


def test_a_registry_that_was_deleted_is_not_taken_for_the_one_before_it(local_uri, push):
    empty = holdings_state(local_uri)
    push(local_uri, "a")
    full = holdings_state(local_uri)
    shutil.rmtree(local_uri)
    assert holdings_state(local_uri) != empty
    push(local_uri, "a")
    assert holdings_state(local_uri) != full


def test_a_state_names_its_version(uri, push):
    assert served_in(registry_state(uri)) is None
    push(uri, "a")
    assert served_in(registry_state(uri)) == 1
