"""Versions in a server: loading, switching, synchronising with the registry, refusing."""
