"""TensorFlow Serving's protocols: REST and gRPC, their messages, and what is not one of them."""
