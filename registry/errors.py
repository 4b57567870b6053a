"""What can be wrong with a registry, or with what is asked of it."""

from __future__ import annotations

from common.errors import UserError


class RegistryError(UserError):
    """The registry cannot do what it was asked."""


class NoRegistryError(RegistryError):
    """There is no registry at the place, or it holds no version."""


class UnknownVersionError(RegistryError):
    """A version was asked for that does not exist."""


class CorruptRecordError(RegistryError):
    """One of the registry's JSON files cannot be read."""


class CorruptVersionError(RegistryError):
    """A version's files are not those that its manifest records."""
