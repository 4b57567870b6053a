"""Where Beam's steps run: on the cores of this machine, or on an engine (Flink, Spark, Dataflow)."""
