"""Step that checks that the exported model can be served, by a server process over gRPC and REST."""
