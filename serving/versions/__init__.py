"""Versions of the registry in a server: loaded, switched, synchronised, refused."""
