"""Open Inference Protocol, version 2 (KServe, Triton): REST and gRPC beside TensorFlow Serving's."""
