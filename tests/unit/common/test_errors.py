"""Finding the sentence for the user in an error."""

from __future__ import annotations

from common.errors import UserError, user_error_in

FROM_A_WORKER = """Traceback (most recent call last):
  File "common.py", line 1, in process
common.errors.UserError: the folder data is gone; put it back

During handling of the above exception, another exception occurred:

common.errors.UserError: the folder data is gone; put it back [while running 'Identify-ptransform-12']
"""


def test_a_wrapped_error_is_found() -> None:
    error = RuntimeError("wrapped")
    error.__cause__ = UserError("one sentence")
    assert str(user_error_in(error)) == "one sentence"


def test_a_workers_error_is_found_in_the_text_of_its_traceback() -> None:
    assert str(user_error_in(RuntimeError(FROM_A_WORKER))) == "the folder data is gone; put it back"


def test_other_errors_have_none() -> None:
    assert user_error_in(RuntimeError("UserError: not at the start of a line")) is None
    assert user_error_in(ValueError(FROM_A_WORKER)) is None
