"""The header `Accept-Encoding`."""

from __future__ import annotations

import pytest

from serving.protocol.compression import accepts_gzip


@pytest.mark.parametrize("header", ["gzip", "br, GZIP;q=0.5", "x-gzip", "*", "deflate, *;q=0.1", "gzip;q=1, *;q=0"])
def test_gzip_is_accepted(header: str) -> None:
    assert accepts_gzip(header)


@pytest.mark.parametrize("header", ["", "identity", "br", "gzip;q=0", "gzip; q=0.000, *", "*;q=0", "notgzip"])
def test_gzip_is_not_accepted(header: str) -> None:
    assert not accepts_gzip(header)
