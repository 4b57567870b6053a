"""Starts a run of the pipeline when the answers of the served version have drifted.

A request is recorded in the registry before the run is started, see `registry.retraining`: however many monitors see
the drift, and however long it lasts, one run is started in `Trigger.least_hours`.
"""

from __future__ import annotations

import datetime
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from common.errors import UserError
from common.plurals import counted
from registry.store import Registry

WITHOUT_DRIFT_CHECK = "validation.drift=false"
"""The data gate's own check would stop a run on images of the new kind, for which the run is started."""


@dataclass(frozen=True)
class Trigger:
    """What is run, and where: on Kubeflow if `host` is given, else on this machine.

    The run has `WITHOUT_DRIFT_CHECK`, unless `overrides` set that key themselves.
    """

    config: Path
    overrides: tuple[str, ...] = ()
    host: str | None = None
    certificate: Path | None = None
    least_hours: float = 24.0

    @property
    def run_overrides(self) -> tuple[str, ...]:
        """The overrides of the run; later ones replace earlier ones."""
        return (WITHOUT_DRIFT_CHECK, *self.overrides)

    def start(self) -> str:
        """Starts a run and returns where it can be seen.

        Raises:
            UserError: it cannot be started.
        """
        return self._start_on_kubeflow() if self.host else self._start_here()

    def check(self, registry: Registry) -> None:
        """Checks the configuration before there is drift.

        Raises:
            UserError: it is invalid, or pushes to another registry than the one that is watched.
        """
        from pipeline.config.run_config import load_config

        settings = load_config(self.config, self.run_overrides)
        manifest = registry.served_manifest()
        if manifest is not None and manifest.model_name != settings.name:
            raise UserError(
                f"{self.config} is the pipeline of {settings.name!r}, but the registry {registry.uri} is that of "
                f"{manifest.model_name!r}: name its configuration with --retrain"
            )

    def newest_run(self) -> tuple[datetime.datetime, bool] | None:
        """Returns when the newest run of the pipeline began, and whether it has failed; `None` if there is none.

        Raises:
            UserError: Kubeflow does not answer.
        """
        if self.host:
            from pipeline.cli.kubeflow_commands import newest_run

            found = newest_run(self.config, self.overrides, self.host, self.certificate)
            return None if found is None else (found[0], found[1] == "FAILED")
        return _newest_local_run(self._workspace())

    def _start_on_kubeflow(self) -> str:
        from pipeline.cli.kubeflow_commands import start_run

        client, run_id, _ = start_run(self.config, self.run_overrides, (), self.host, self.certificate)
        return client.run_address(run_id)

    def _start_here(self) -> str:
        """Starts `segpipe run` in a process that outlives the monitor; its output goes to the workspace's logs."""
        now = datetime.datetime.now()
        log = self._workspace() / "logs" / f"retraining-{now:%Y%m%d-%H%M%S}.log"
        command = [sys.executable, "-m", "pipeline.cli.main", "run", str(self.config)]
        command += [word for each in self.run_overrides for word in ("--set", each)]
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as output:
                subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            raise UserError(f"cannot start a run: {error.strerror}: {error.filename}") from error
        return f"on this machine, its output is in {log}"

    def _workspace(self) -> Path:
        from pipeline.config.run_config import load_config

        return load_config(self.config, self.overrides).workspace_dir


def retrain(registry: Registry, trigger: Trigger, version: int, reason: str) -> str:
    """Starts a run unless one was requested lately; returns a sentence that says what was done."""
    try:
        requested = registry.request_retraining(version, reason, datetime.timedelta(hours=trigger.least_hours))
    except Exception as error:  # noqa: BLE001  # Stores raise any; what was found must still be told.
        return f"no run is started, because the request cannot be recorded in the registry: {_sentence(error)}"
    if requested is None:
        before = registry.latest_retraining()
        when = f"{before.requested:%Y-%m-%d %H:%M} UTC" if before else "just now"
        return f"no run is started: one was requested at {when}, less than {counted(trigger.least_hours, 'hour')} ago"
    try:
        run = trigger.start()
    except Exception as error:  # noqa: BLE001  # Whatever it is, the request must not count as met.
        sentence = _sentence(error)
        registry.record_retraining(requested.model_copy(update={"error": sentence}))
        return f"a run could not be started: {sentence}"
    registry.record_retraining(requested.model_copy(update={"run": run}))
    return f"a run is started: {run} (with {WITHOUT_DRIFT_CHECK}, unless --set says otherwise)"


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"


def _newest_local_run(workspace: Path) -> tuple[datetime.datetime, bool] | None:
    from pipeline.local.run_journal import JOURNALS, RunJournal, began_of_key

    keys = [path for path in (workspace / JOURNALS).glob("*.json") if began_of_key(path.stem)]
    if not keys:
        return None
    journal = RunJournal.model_validate_json(max(keys, key=lambda path: path.stem).read_bytes())
    return journal.began, journal.outcome == "failed"
