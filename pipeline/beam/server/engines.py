"""The engines that `segpipe beam-server` knows: what differs between Flink and Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.beam.server.flink import start_flink
from pipeline.beam.server.jars import FLINK_JARS, SPARK_JARS, JarSet
from pipeline.beam.server.processes import JavaProcesses, Ports
from pipeline.beam.server.spark import DRIVER_PROPERTIES, spark_environment, start_spark


@dataclass(frozen=True)
class Engine:
    """An engine of Beam.

    Attributes:
        title: Its name.
        jars: Jars of the job server and of the engine.
        job_server: Main class of Beam's job server.
        master_option: Option of the job server that names the engine.
        embedded: Value of that option for an engine in the job server's own process.
        worker: What the engine calls a process that computes.
        start: Starts an engine of this machine: processes, ports, workers, slots → address.
        environment: Environment variables of the job server.
        properties: Java's properties of the job server.
    """

    title: str
    jars: JarSet
    job_server: str
    master_option: str
    embedded: str
    worker: str
    start: Callable[[JavaProcesses, Ports, int, int], str]
    environment: Callable[[JavaProcesses], Mapping[str, str]] = lambda java: {}
    properties: tuple[str, ...] = ()


ENGINES = {
    "flink": Engine(
        title="Flink",
        jars=FLINK_JARS,
        job_server="org.apache.beam.runners.flink.FlinkJobServerDriver",
        master_option="--flink-master",
        embedded="[local]",
        worker="TaskManager",
        start=start_flink,
    ),
    "spark": Engine(
        title="Spark",
        jars=SPARK_JARS,
        job_server="org.apache.beam.runners.spark.SparkJobServerDriver",
        master_option="--spark-master-url",
        embedded="local[*]",
        worker="Spark worker",
        start=start_spark,
        environment=spark_environment,
        properties=DRIVER_PROPERTIES,
    ),
}
