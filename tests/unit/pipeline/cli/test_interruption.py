"""What is said where a command is ended from outside."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.cli.options import handle_errors

SCRIPT = """
import sys, time
from pathlib import Path
import click
from pipeline.cli.options import handle_errors
from pipeline.cli.console import StepWatcher, quiet_streams

@click.command()
@handle_errors
def work():
    with quiet_streams(Path(sys.argv.pop())) as console:
        watcher = StepWatcher(console, str)
        with watcher.watching():
            while True:
                with watcher.step("Trainer", lambda node: False):
                    time.sleep(0.01)
work(args=[])
"""


@pytest.fixture
def work(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert "Trainer" in process.stdout.readline()
    return process


@pytest.mark.parametrize(("number", "what"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_signal_is_answered_with_one_line(work: subprocess.Popen[str], number: signal.Signals, what: str) -> None:
    work.send_signal(number)
    _, error = work.communicate(timeout=60)
    assert work.returncode == 128 + number
    assert error == f"{what}; run the same command to start again\n"


INTERRUPTED_IMPORT = """
import sys
from pipeline.cli.entry import main

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "pipeline.cli.options":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
main()
"""


def test_a_signal_during_the_imports_is_answered_with_one_line() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED_IMPORT], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "interrupted; run the same command to start again\n"


def test_the_console_script_imports_nothing_that_takes_time_until_then() -> None:
    code = "import sys, pipeline.cli.entry; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert {*done.stdout.split()} - sys.stdlib_module_names <= {"__main__", "common", "pipeline"}


@pytest.mark.parametrize("arguments", [["run", "x.yaml"], ["crossval", "x.yaml", "--folds=2"]])
def test_a_command_that_keeps_what_it_has_done_says_that_it_resumes(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "_run", interrupt)
    result = CliRunner().invoke(main.cli, arguments)
    assert (result.exit_code, result.output) == (130, "interrupted; run the same command again to resume\n")


BEAM = "bundle failed: Traceback (most recent call last):\n  x\nRuntimeError: {} [while running 'Predict']\n"


@pytest.mark.parametrize(
    ("text", "status"), [("KeyboardInterrupt", 130), ("common.interruption.Interruption: terminated", 143)]
)
def test_a_signal_that_beam_reports_as_an_error_of_a_step_is_one_too(
    text: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    @handle_errors
    def work() -> None:
        raise RuntimeError(BEAM.format(text))

    with pytest.raises(SystemExit) as ended:
        work(args=[], standalone_mode=False)
    assert ended.value.code == status
    assert capsys.readouterr().err.endswith("; run the same command to start again\n")


def test_a_reader_that_has_gone_ends_the_command_without_a_traceback(work: subprocess.Popen[str]) -> None:
    assert work.stdout
    assert work.stderr
    work.stdout.close()
    assert work.stderr.read() == (
        "stopped, because the reader of its output has closed it; run the same command to start again\n"
    )
    assert work.wait(60) == 128 + signal.SIGPIPE
