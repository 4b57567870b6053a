"""Options for numbers accept none that a comparison cannot judge."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from pipeline.cli.main import cli
from pipeline.cli.number_types import FiniteRange


def commands(group: click.Group = cli, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """All commands with their names, those of groups included."""
    for name, command in group.commands.items():
        yield f"{path}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path}{name} ")


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_a_check_cannot_be_passed_by_what_is_not_a_number(value: str) -> None:
    words = ["rollout", "promote", "--compare", "images", "--at-least", value]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert "Invalid value for '--at-least'" in done.output


def test_each_range_of_numbers_is_a_finite_one() -> None:
    lax = [
        f"{name} {option.opts[0]}"
        for name, command in commands()
        for option in command.params
        if isinstance(option.type, click.FloatRange) and not isinstance(option.type, FiniteRange)
    ]
    assert not lax


def test_each_port_is_one() -> None:
    lax = [
        f"{name} {option.opts[0]}"
        for name, command in commands()
        for option in command.params
        if option.opts[0].endswith("port") and option.type is click.INT
    ]
    assert not lax
