"""Errors of a registry, or of a call to it."""

from __future__ import annotations

from common.errors import UserError


class RegistryError(UserError):
    """The registry cannot perform the call."""


class NoRegistryError(RegistryError):
    """The registry does not exist, or has no version."""


class UnknownVersionError(RegistryError):
    """The requested version does not exist."""


class CorruptRecordError(RegistryError):
    """One of the registry's JSON files cannot be read."""


class CorruptVersionError(RegistryError):
    """A version's files are not those that its manifest records."""
