"""`segpipe tensorboard`."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import tensorflow as tf

from common.errors import UserError
from pipeline.cli.tensorboard import EVENTS, open_tensorboard
from pipeline.config.run_config import load_config

ADDRESS = re.compile(r"TensorBoard \S+ at (http://\S+)")


def test_a_workspace_without_a_training_is_a_sentence(minimal: Path, tmp_path: Path) -> None:
    config = load_config(minimal, [f"workspace={tmp_path / 'run'}"])
    with pytest.raises(UserError, match=r"tiny has no training in .*run to show; `segpipe run` with"):
        open_tensorboard(config, "127.0.0.1", 0)


def test_the_trainings_of_the_workspace_are_shown_until_ctrl_c(minimal: Path, tmp_path: Path) -> None:
    """`segpipe tensorboard pipeline/configs/sample.yaml`, with another configuration."""
    workspace = tmp_path / "a run [1]"
    with tf.summary.create_file_writer(str(tmp_path / "events")).as_default():
        tf.summary.scalar("epoch_loss", 0.5, step=0)
    folder = workspace / EVENTS / "7" / "tensorboard"
    folder.mkdir(parents=True)
    (tmp_path / "events").rename(folder / "train")
    command = [sys.executable, "-m", "pipeline.cli.main", "tensorboard", str(minimal), "--port", "0"]
    with subprocess.Popen(
        [*command, "--set", f"workspace={workspace}"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        try:
            address = next(found[1] for line in process.stderr if (found := ADDRESS.search(line)))
            reply = httpx.get(f"{address}data/plugin/scalars/tags", timeout=60)
            assert list(reply.json()) == ["7/tensorboard/train"]
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()
    assert process.returncode in (0, 130)


def test_the_trainings_of_all_folds_are_shown_together(
    minimal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "artifacts" / "TrainerFold1" / "model_run" / "7" / "tensorboard").mkdir(parents=True)
    given: list[str] = []
    monkeypatch.setattr("os.execv", lambda _, arguments: given.extend(arguments))
    open_tensorboard(load_config(minimal, [f"workspace={tmp_path}", "data.split.folds=2"]), "127.0.0.1", 0)
    assert given[given.index("--logdir") + 1] == str(tmp_path / "artifacts")
