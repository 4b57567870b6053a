"""Workspaces of runs that nobody ran: real ML Metadata, result types and registry; the figures are invented."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ml_metadata.metadata_store import MetadataStore
from ml_metadata.proto import metadata_store_pb2

from components import component_keys as keys
from components.data_gate.result import GATE_FILE, Finding, GateReport
from components.evaluator.results import RESULTS_FILE, Check, Estimate, Evaluation, Measured, SliceMetrics, Verdict
from components.example_gen.quarantine import (
    QUARANTINE_FILE,
    SUMMARY_FILE,
    IngestionSummary,
    QuarantineCause,
    Quarantined,
    Reason,
)
from components.pusher.pushing import Candidate, push_if_blessed
from components.pusher.result import PUSHED_FILE, PushResult
from components.report.page import REPORT_FILE
from components.trainer.history import HISTORY_FILE, Epoch
from pipeline.dag.steps import DATA_GATE, EVALUATOR, EXAMPLE_GEN, PUSHER, REPORT, STEPS, TRAINER
from pipeline.local.run_journal import JOURNALS, PlannedStep, RunJournal, run_key
from registry.store import Registry
from tests.support.histories import training_history

OUTPUTS = {
    EXAMPLE_GEN.component: (keys.EXAMPLES, keys.QUARANTINE),
    "SchemaImporter": (keys.SCHEMA,),
    "StatisticsGen": (keys.STATISTICS,),
    "ExampleValidator": (keys.ANOMALIES,),
    DATA_GATE.component: (keys.GATE,),
    "Transform": ("transformed_examples", "transform_graph"),
    TRAINER.component: (keys.MODEL, keys.MODEL_RUN),
    "Baseline": (keys.MODEL,),
    EVALUATOR.component: (keys.BLESSING, keys.EVALUATION),
    "ServingCheck": (keys.CHECKED_MODEL, keys.BLESSING),
    PUSHER.component: (keys.PUSHED_MODEL,),
    REPORT.component: (keys.REPORT, keys.SUMMARY),
}
PLAN = tuple(step.component for step in STEPS if step.component in OUTPUTS)
"""The steps of a run without a search, folds or batch prediction."""
AFTER = {
    "StatisticsGen": (EXAMPLE_GEN.component,),
    "ExampleValidator": ("SchemaImporter", "StatisticsGen"),
    DATA_GATE.component: (EXAMPLE_GEN.component, "ExampleValidator", "SchemaImporter", "StatisticsGen"),
    "Transform": (DATA_GATE.component, EXAMPLE_GEN.component, "SchemaImporter"),
    TRAINER.component: ("Transform",),
    "Baseline": (TRAINER.component,),
    EVALUATOR.component: ("Baseline", EXAMPLE_GEN.component, TRAINER.component),
    "ServingCheck": (EVALUATOR.component, EXAMPLE_GEN.component, TRAINER.component),
    PUSHER.component: (EVALUATOR.component, EXAMPLE_GEN.component, "ServingCheck"),
    REPORT.component: (
        DATA_GATE.component,
        EVALUATOR.component,
        EXAMPLE_GEN.component,
        PUSHER.component,
        TRAINER.component,
    ),
}
SECONDS = dict(zip(PLAN, (14.2, 0.1, 6.3, 0.4, 0.5, 13.1, 428.0, 0.8, 20.0, 23.1, 0.4, 33.5), strict=True))
"""How long a step takes if it is not cached."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """What a run found out; the rest follows."""

    mean_iou: float = 0.8
    pairs: int = 100
    quarantined: tuple[Quarantined, ...] = ()
    classes: tuple[str, ...] = ("background", "nucleus")
    blessed: bool = True
    baseline: tuple[int, float] | None = None
    """Version and mean IoU of the model that it is compared with."""
    slices: tuple[tuple[str, str, int, float], ...] = (
        ("image_type", "gray-dark", 30, 0.01),
        ("image_type", "colour", 9, -0.03),
    )
    """Column, value, images, and the difference to the mean."""
    gate_failure: str | None = None
    gate_warnings: tuple[str, ...] = ()
    data_root: str = "data"


class MadeUpWorkspace:
    """A folder as `segpipe run` leaves it."""

    def __init__(self, folder: Path, name: str = "nuclei") -> None:
        folder.mkdir(parents=True)
        self.folder, self.name = folder, name
        self.registry = Registry(str(folder / "registry"))
        connection = metadata_store_pb2.ConnectionConfig()
        connection.sqlite.filename_uri = str(folder / "metadata.sqlite")
        connection.sqlite.connection_mode = metadata_store_pb2.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        self._store = MetadataStore(connection)
        self._run_type = self._store.put_context_type(metadata_store_pb2.ContextType(name="pipeline_run"))
        node = metadata_store_pb2.ContextType(name="node")
        name_of_node = f"{name}.{REPORT.component}"
        context = metadata_store_pb2.Context(type_id=self._store.put_context_type(node), name=name_of_node)
        [self._report_node] = self._store.put_contexts([context])
        self._types: dict[str, int] = {}
        self._artifact_type = self._store.put_artifact_type(metadata_store_pb2.ArtifactType(name="Anything"))
        self._made = 0

    def add_run(
        self,
        began: datetime.datetime,
        figures: Figures = Figures(),
        *,
        until: str = REPORT.component,
        last: str = "COMPLETE",
        cached: Sequence[str] = (),
        journal: dict[str, Any] | None = None,
        push: bool | PushResult = True,
        log: str = "",
    ) -> str:
        """Adds a run whose steps up to `until` have begun, that one in the state `last`; returns its key."""
        begun = PLAN[: PLAN.index(until) + 1]
        context = metadata_store_pb2.Context(type_id=self._run_type, name=began.isoformat())
        states = [self._state(step, cached, last if step == until else None) for step in begun]
        executions = [self._execution(step, state, figures) for step, state in zip(begun, states, strict=True)]
        numbers = range(self._made + 1, self._made + 1 + len(begun))
        self._made += len(begun)
        artifacts, edges = self._lineage(begun, states, numbers)
        ids, _, _ = self._store.put_lineage_subgraph(executions, artifacts, [context], edges)
        if until == REPORT.component:
            of_report = metadata_store_pb2.Association(context_id=self._report_node, execution_id=ids[-1])
            self._store.put_attributions_and_associations([], [of_report])
        self._write_results(
            dict(zip(begun, numbers, strict=True)), dict(zip(begun, states, strict=True)), figures, push
        )
        self._set_times(began, dict(zip(begun, numbers, strict=True)), cached)
        if journal is not None:
            self.write_journal(began, log=f"run-{began:%Y%m%d-%H%M%S}.log", **journal)
        if log:
            (self.folder / "logs").mkdir(exist_ok=True)
            (self.folder / "logs" / f"run-{began:%Y%m%d-%H%M%S}.log").write_text(log)
        return run_key(began)

    def write_journal(self, began: datetime.datetime, planned: bool = True, **values: Any) -> str:
        """Writes the journal of a run; by default with a plan of all steps."""
        steps = tuple(PlannedStep(component=step, after=AFTER.get(step, ())) for step in PLAN) if planned else ()
        made = RunJournal(name=self.name, began=began.astimezone(), steps=steps, **values)
        path = self.folder / JOURNALS / f"{run_key(began)}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(made.model_dump_json())
        return run_key(began)

    def _state(self, step: str, cached: Sequence[str], last: str | None) -> int:
        name = last or ("CACHED" if step in cached else "COMPLETE")
        return int(metadata_store_pb2.Execution.State.Value(name))

    def _execution(self, step: str, state: int, figures: Figures) -> metadata_store_pb2.Execution:
        name = f"components.made_up.component.{step}"
        if step not in self._types:
            self._types[step] = self._store.put_execution_type(metadata_store_pb2.ExecutionType(name=name))
        made = metadata_store_pb2.Execution(type_id=self._types[step], last_known_state=state)
        if step == EXAMPLE_GEN.component:
            source = {"type": "manifest", "root": figures.data_root}
            made.custom_properties[keys.DATA_CONFIG].string_value = json.dumps({"source": source})
        if step == REPORT.component:
            made.custom_properties[keys.RUN_CONFIG].string_value = json.dumps(self._config(figures))
        return made

    def _lineage(
        self, begun: Sequence[str], states: Sequence[int], numbers: Iterable[int]
    ) -> tuple[list[Any], list[Any]]:
        """Artifacts of the steps that have ended well, and the events of who wrote and read them."""
        artifacts: list[Any] = []
        edges: list[Any] = []
        written: dict[str, list[tuple[int, str]]] = {}
        ended = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)
        for place, (step, state, number) in enumerate(zip(begun, states, numbers, strict=True)):
            for source in AFTER.get(step, ()):
                for index, key in written.get(source, ()):
                    edges.append((place, index, _event(metadata_store_pb2.Event.INPUT, key)))
            for key in OUTPUTS[step] if state in ended else ():
                uri = f"/elsewhere/artifacts/{step}/{key}/{number}"
                artifacts.append(metadata_store_pb2.Artifact(type_id=self._artifact_type, uri=uri))
                written.setdefault(step, []).append((len(artifacts) - 1, key))
                edges.append((place, len(artifacts) - 1, _event(metadata_store_pb2.Event.OUTPUT, key)))
        return artifacts, edges

    def _write_results(
        self, numbers: dict[str, int], states: dict[str, int], figures: Figures, push: bool | PushResult
    ) -> None:
        ingestion, evaluation = ingestion_of(figures), evaluation_of(figures)
        pairs = "".join(f"{each.model_dump_json()}\n" for each in figures.quarantined)
        texts = {
            (EXAMPLE_GEN.component, keys.QUARANTINE, SUMMARY_FILE): ingestion.model_dump_json(),
            (EXAMPLE_GEN.component, keys.QUARANTINE, QUARANTINE_FILE): pairs,
            (DATA_GATE.component, keys.GATE, GATE_FILE): gate_of(figures).model_dump_json(),
            (TRAINER.component, keys.MODEL_RUN, HISTORY_FILE): _history(figures).model_dump_json(),
            (EVALUATOR.component, keys.EVALUATION, RESULTS_FILE): evaluation.model_dump_json(),
            (REPORT.component, keys.REPORT, REPORT_FILE): f"<!doctype html><title>Report</title><h1>{self.name}</h1>",
        }
        running = metadata_store_pb2.Execution.RUNNING
        for (step, key, file), text in texts.items():
            if step in numbers and states[step] != running:
                self._write(step, key, numbers[step], file, text)
        if PUSHER.component in numbers:
            result = push if isinstance(push, PushResult) else self._push(figures, ingestion, evaluation, push)
            self._write(
                PUSHER.component, keys.PUSHED_MODEL, numbers[PUSHER.component], PUSHED_FILE, result.model_dump_json()
            )

    def _push(self, figures: Figures, ingestion: IngestionSummary, evaluation: Evaluation, new: bool) -> PushResult:
        model = self.folder / "artifacts" / TRAINER.component / keys.MODEL / "Format-Serving"
        model.mkdir(parents=True, exist_ok=True)
        (model / "saved_model.pb").write_text(f"{figures} {self._made if new else 0}")
        candidate = Candidate(str(model), self.name, ingestion, self._config(figures), evaluation)
        return push_if_blessed(self.registry, candidate, self.registry.served())

    def _config(self, figures: Figures) -> dict[str, Any]:
        return {"name": self.name, "data": {"classes": list(figures.classes)}}

    def _write(self, step: str, key: str, number: int, file: str, text: str) -> None:
        folder = self.folder / "artifacts" / step / key / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")

    def _set_times(self, began: datetime.datetime, numbers: dict[str, int], cached: Sequence[str]) -> None:
        """Sets begin and end of the executions, which ML Metadata does not let others say."""
        moment = began.timestamp() + 7
        with sqlite3.connect(self.folder / "metadata.sqlite") as database:
            for step, number in numbers.items():
                end = moment + (0.1 if step in cached else SECONDS[step])
                database.execute(
                    "UPDATE Execution SET create_time_since_epoch = ?, last_update_time_since_epoch = ? WHERE id = ?",
                    (int(1000 * moment), int(1000 * end), number),
                )
                moment = end
        database.close()


def quarantined_pair(name: str, reason: Reason, detail: str, **values: Any) -> Quarantined:
    """A pair that was set aside, with its files."""
    files = {"image": f"images/{name}.png", "mask": f"masks/{name}.png"}
    return Quarantined(id=name, reason=reason, detail=detail, **(files | values))


def ingestion_of(figures: Figures) -> IngestionSummary:
    reasons: dict[str, int] = {}
    for each in figures.quarantined:
        reasons[each.reason.value] = reasons.get(each.reason.value, 0) + 1
    test = figures.pairs // 7
    used = {"train": figures.pairs - 2 * test, "eval": test, "test": test}
    causes = {each.reason: each for each in reversed(figures.quarantined)}
    return IngestionSummary(
        data_fingerprint=hashlib.sha256(str(figures.pairs).encode()).hexdigest(),
        classes=figures.classes,
        found=figures.pairs + len(figures.quarantined),
        used=used,
        quarantined=reasons,
        causes=tuple(
            QuarantineCause(reason=reason, count=reasons[reason.value], example=each) for reason, each in causes.items()
        ),
        class_pixels={split: tuple(1000 for _ in figures.classes) for split in used},
        class_pictures={split: tuple(number for _ in figures.classes) for split, number in used.items()},
        void_pixels=dict.fromkeys(used, 0),
    )


def gate_of(figures: Figures) -> GateReport:
    findings = [Finding(check="size", split="train", passed=True, detail=f"{figures.pairs} pairs")]
    findings += [Finding(check="skew", passed=True, warning=True, detail=text) for text in figures.gate_warnings]
    if figures.gate_failure:
        findings.append(Finding(check="classes", split="train", passed=False, detail=figures.gate_failure))
    return GateReport(passed=figures.gate_failure is None, findings=tuple(findings))


def evaluation_of(figures: Figures) -> Evaluation:
    before = figures.baseline
    kept = figures.blessed
    detail = f"mean_iou {figures.mean_iou:.3f} on overall is {'not ' if kept else ''}below the threshold 0.6"
    check = Check(
        metric="mean_iou",
        slice="overall",
        kind="at_least",
        value=figures.mean_iou,
        bound=0.6,
        passed=kept,
        detail=detail,
    )
    note = "No version was served to compare with." if before is None else f"Compared with version {before[0]}."
    return Evaluation(
        split="test",
        classes=figures.classes,
        candidate=_measured(figures, figures.mean_iou),
        baseline=_measured(figures, before[1]) if before else None,
        verdict=Verdict(blessed=kept, baseline_version=before[0] if before else None, note=note, checks=(check,)),
        classes_averaged=len(figures.classes),
    )


def _measured(figures: Figures, mean: float) -> Measured:
    slices = tuple(
        _metrics(figures, mean + offset, images, column=column, value=value)
        for column, value, images, offset in figures.slices
    )
    return Measured(overall=_metrics(figures, mean, figures.pairs // 7), slices=slices)


def _metrics(figures: Figures, mean: float, images: int, **where: str) -> SliceMetrics:
    spread = (1 - mean) / 2
    of_class = {
        name: _estimate(mean + spread * (1 - 2 * place / max(1, len(figures.classes) - 1)))
        for place, name in enumerate(figures.classes)
    }
    return SliceMetrics(
        pictures=images,
        mean_iou=_estimate(mean),
        mean_dice=_estimate((1 + mean) / 2),
        pixel_accuracy=_estimate((2 + mean) / 3),
        iou=of_class,
        dice=of_class,
        confusion=tuple(tuple(90 if row == column else 5 for column in of_class) for row in of_class),
        **where,
    )


def _estimate(value: float) -> Estimate:
    return Estimate(value=value, low=max(0.0, value - 0.021), high=min(1.0, value + 0.018))


def _history(figures: Figures) -> Any:
    epochs = [
        Epoch(
            epoch=n,
            seconds=20,
            milliseconds_per_step=90,
            learning_rate=1e-3,
            metrics={"mean_iou": figures.mean_iou + 0.04 - 0.5 / n, "val_mean_iou": figures.mean_iou + 0.01 - 0.55 / n},
        )
        for n in range(1, 21)
    ]
    return training_history(epochs, best_epoch=18, parameters=1_942_273, seconds=421.0)


def _event(kind: int, key: str) -> metadata_store_pb2.Event:
    made = metadata_store_pb2.Event(type=kind)
    step = made.path.steps.add()
    step.key = key
    return made
