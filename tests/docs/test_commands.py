"""Every command that README and docs show exists as written, and is run by a test or says why not."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest
import yaml

from pipeline.cli.main import cli
from pipeline.config.run_config import load_config
from tests.docs.blocks import PAGES, ROOT, SHELL, Block, blocks

ALL = list(blocks())
COMMAND_BLOCKS = [block for block in ALL if block.language in SHELL or block.language == "python"]
SHELL_BLOCKS = [block for block in ALL if block.language in SHELL]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
OURS = re.compile(r"^(\$ |segpipe |make |kubectl |curl |python |pip )", re.MULTILINE)


def each(chosen: list[Block]) -> Callable[..., object]:
    return pytest.mark.parametrize("block", chosen, ids=[block.place for block in chosen])


def test_blocks_were_found() -> None:
    assert len(PAGES) > 15
    assert len(COMMAND_BLOCKS) > 25


@each(COMMAND_BLOCKS)
def test_a_block_names_the_test_that_runs_it_or_the_reason_why_none_does(block: Block) -> None:
    assert block.mark, f"{block.place}: write <!-- run: tests/… --> or <!-- not run: reason --> above the block"
    kind, text = block.mark
    if kind == "not run":
        return
    for test in text.split(", "):
        path, _, name = test.partition("::")
        assert (ROOT / path).exists(), f"{block.place}: {path} does not exist"
        assert not name or f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{block.place}: {test}"


@each([block for block in ALL if not block.language])
def test_a_block_with_commands_says_its_language(block: Block) -> None:
    assert not OURS.search(block.text), f"{block.place}: write ```console or ```sh"


@each(SHELL_BLOCKS)
def test_a_shell_reads_the_commands(block: Block) -> None:
    checked = subprocess.run(["bash", "-n"], input=block.script, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert list(block.commands())


@each(SHELL_BLOCKS)
def test_commands_options_targets_and_paths_exist(block: Block) -> None:
    for command in block.commands():
        program, *arguments = command
        if program == "segpipe":
            check_segpipe(arguments)
        elif program == "make":
            check_make(arguments)
        elif program.startswith("scripts/"):
            assert (ROOT / program).is_file(), program
        for path in arguments:
            if re.match(r"(pipeline/configs|k8s|tests|scripts|constraints)/", path):
                assert (ROOT / path).exists(), path
        if program == "kubectl" and "-k" in arguments:
            check_kustomization(arguments[arguments.index("-k") + 1])


def check_make(arguments: list[str]) -> None:
    for target in (word for word in arguments if "=" not in word):
        assert re.search(rf"^{target}:|^\.PHONY:.* {target}\b", MAKEFILE, re.MULTILINE), target


def check_kustomization(path: str) -> None:
    assert path.startswith("github.com/") or (ROOT / path / "kustomization.yaml").is_file(), path


def check_segpipe(arguments: list[str]) -> None:
    """The subcommand, its options and the keys and values of `--set` are valid."""
    command: click.Command = cli
    words = list(arguments)
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    assert command is not cli or not [word for word in words if not word.startswith("-")], arguments
    options = {name: parameter for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    config, overrides = None, []
    while words:
        word = words.pop(0)
        name, has_value, value = word.partition("=")
        if word.startswith("-"):
            assert name in options, f"segpipe {' '.join(arguments)}: no option {name}"
            option = options[name]
            if not has_value and not getattr(option, "is_flag", False):
                value = words.pop(0)
            overrides += [value] if name == "--set" else []
        elif word.startswith("pipeline/configs/"):
            config = word
    if config:
        load_config(ROOT / config, tuple(overrides))


@each([block for block in ALL if block.language == "python"])
def test_python_compiles(block: Block) -> None:
    compile(block.text, block.place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@each([block for block in ALL if block.language == "yaml"])
def test_yaml_is_valid(block: Block) -> None:
    assert isinstance(yaml.safe_load(block.text), dict)


def test_every_page_is_in_the_list_of_pages() -> None:
    listed = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    docs = ROOT / "docs"
    missing = [
        path
        for path in docs.glob("**/*.md")
        if path.name != "README.md" and f"({path.relative_to(docs)})" not in listed
    ]
    assert not missing


def test_paths_in_code_exist() -> None:
    """A path of the project in backticks, in any page but the changelog, exists; NAME is a name to choose."""
    shown = re.compile(
        r"`((?:pipeline|components|common|registry|serving|schemas|scripts|tests|k8s|benchmarks)/[\w./-]*\w)/?`"
    )
    for page in PAGES:
        for path in shown.findall(page.read_text(encoding="utf-8")):
            if "NAME" in path:
                continue
            assert Path(ROOT / path).exists(), f"{page.relative_to(ROOT)}: {path}"
