"""Addresses: one line that says protocol, host, model and version."""

from __future__ import annotations

import pytest

from segpipe_client.address import Address, parse_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://a:8501/v1/models/pets", Address("http", "a:8501", "", "pets", None, None)),
        ("https://a/in/front/v1/models/pets/", Address("https", "a", "/in/front", "pets", None, None)),
        ("grpc://a/v1/models/pets/versions/3", Address("grpc", "a:8500", "", "pets", 3, None)),
        ("grpcs://a/v1/models/pets/labels/canary", Address("grpcs", "a:443", "", "pets", None, "canary")),
        ("grpc://[::1]:9000/v1/models/pets", Address("grpc", "[::1]:9000", "", "pets", None, None)),
        ("http://a:8501/v1/models/pets:predict", Address("http", "a:8501", "", "pets", None, None)),
        ("v2+http://a:8501/v2/models/pets", Address("http", "a:8501", "", "pets", None, None, is_v2=True)),
        ("v2+https://a/x/v2/models/p/versions/3", Address("https", "a", "/x", "p", 3, None, is_v2=True)),
        ("v2+grpc://a/v2/models/p/versions/canary", Address("grpc", "a:8500", "", "p", None, "canary", is_v2=True)),
        ("v2+grpcs://a/v2/models/p/infer", Address("grpcs", "a:443", "", "p", None, None, is_v2=True)),
    ],
)
def test_an_address_has_the_parts_that_it_names(url: str, address: Address) -> None:
    assert parse_address(url) == address


@pytest.mark.parametrize(
    "url",
    ["http://a/v1/models/pets", "http://a/v1/models/p/versions/2", "https://a:1/x/v1/models/p/labels/stable"],
)
def test_rest_is_asked_at_the_address_and_below_it(url: str) -> None:
    address = parse_address(url)
    assert (address.url, address.predict_url, address.metadata_url) == (url, f"{url}:predict", f"{url}/metadata")


@pytest.mark.parametrize("path", ["/v2/models/pets", "/v2/models/p/versions/2", "/x/v2/models/p/versions/stable"])
def test_version_2_has_its_own_paths(path: str) -> None:
    address = parse_address(f"v2+http://a:1{path}")
    assert (address.metadata_url, address.predict_url) == (f"http://a:1{path}", f"http://a:1{path}/infer")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("v2+http://a:8501/v1/models/pets", "does not say which model"),
        ("v2+ftp://a/v2/models/pets", "is not an address of a server"),
        ("v2+grpc://a/in/front/v2/models/pets", "gRPC has no path"),
        ("v2+http://me:secret@a/v2/models/pets", "`headers` take a token"),
    ],
)
def test_an_address_of_version_2_is_refused_with_an_example(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"v2\+http://HOST:8501/v2/models/NAME") as caught:
        parse_address(url)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:8501", "is not an address of a server"),
        ("ftp://a/v1/models/pets", "is not an address of a server"),
        ("http://a:8501", "does not say which model"),
        ("http://a:8501/v1/models/", "does not say which model"),
        ("http://a:99999/v1/models/pets", "is not an address"),
        ("http://me:secret@a/v1/models/pets", "`headers` take a token"),
        ("http://a/v1/models/pets?x=1", "no user, query or fragment"),
        ("grpc://a/in/front/v1/models/pets", "gRPC has no path"),
    ],
)
def test_what_is_not_an_address_is_refused_with_an_example(url: str, words: str) -> None:
    with pytest.raises(ValueError, match="http://HOST:8501/v1/models/NAME") as caught:
        parse_address(url)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
