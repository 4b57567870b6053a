"""TensorFlow Serving's protocols, REST and gRPC: messages, services, and errors of invalid requests."""
