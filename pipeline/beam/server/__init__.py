"""Beam's job server for Flink, and a Flink of this machine for trying it."""
