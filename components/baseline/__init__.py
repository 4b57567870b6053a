"""The served version of the registry, brought into the run to be compared with."""
