"""Which URLs may be fetched: https, http on loopback, and nothing that can be read in two ways."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bearer_guard._urls import Endpoint, endpoint, is_loopback, url_problem

ABSOLUTE = "must be an absolute https URL"
HTTPS_ONLY = "must be https: http is for loopback only, unless unsafe_http=True is given"


@pytest.mark.parametrize(
    "url",
    [
        "https://id.example.com",
        "https://id.example.com/",
        "https://id.example.com:8443/tenant/jwks?x=1&y=%7E",
        "HTTPS://ID.example.com/",
        "https://[2001:db8::1]/",
        "https://192.0.2.1/",
        "https://id.example.com:/jwks",
        "http://localhost/jwks",
        "http://LOCALHOST:8000/jwks",
        "http://127.0.0.1:8000/",
        "http://127.9.9.9/",
        "http://[::1]:8000/",
    ],
)
def test_https_and_http_on_loopback_may_be_fetched(url: str) -> None:
    assert url_problem(url) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        *((url, ABSOLUTE) for url in (None, 1, b"https://id.example.com", ["https://id.example.com"])),
        *((url, ABSOLUTE) for url in ("", "id.example.com", "/jwks", "//id.example.com/jwks", "https:", "https://")),
        *(
            (url, ABSOLUTE)
            for url in ("https:///jwks", "https://:443/", "https:id.example.com", "https://?x", "https://#x")
        ),
        *(
            (url, ABSOLUTE)
            for url in ("file:///etc/keys", "ftp://id.example.com/", "data:,x", "unix:///x", "javascript:1")
        ),
        *((url, ABSOLUTE) for url in ("https://id.example.com:0/", "https://id.example.com:65536/", "https://h:x/")),
        *((url, ABSOLUTE) for url in ("https://id.example.com:+443/", "https://id.example.com:-1/", "https://h:٤٤٣/")),
        *(
            (url, ABSOLUTE)
            for url in (" https://id.example.com", "https://id.example.com/ x", "https://id.example.com\n")
        ),
        *(
            (url, ABSOLUTE)
            for url in ("ht\ntps://id.example.com", "https://id.example.com\\@evil.example", "https://é.example")
        ),
        *(
            (url, ABSOLUTE)
            for url in ("https://[::1", "https://[zz]/", "https://::1]/", "https://id.example.com/\x00", "https://a|b/")
        ),
        *(
            (url, "must not hold user information")
            for url in ("https://u@id.example.com", "https://u:p@id.example.com/")
        ),
        *(
            (url, "must not hold user information")
            for url in ("https://@id.example.com", "https://as.example@127.0.0.1:9/")
        ),
        *(
            (url, "must not hold a fragment")
            for url in ("https://id.example.com/#", "https://id.example.com#x", "http://localhost/#")
        ),
        *((url, HTTPS_ONLY) for url in ("http://id.example.com", "http://localhost.example/", "http://localhost.:80/")),
        *(
            (url, HTTPS_ONLY)
            for url in ("http://127.0.0.1.example/", "http://169.254.169.254/", "http://0.0.0.0/", "http://10.0.0.1/")
        ),
        *(
            (url, HTTPS_ONLY)
            for url in ("http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://[::]/", "http://[fe80::1]/")
        ),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_anything_else_may_not_and_the_sentence_says_why(url: object, problem: str) -> None:
    found = url_problem(url)
    assert found is not None
    assert found.startswith(problem)


def test_http_elsewhere_must_be_asked_for_by_its_name() -> None:
    assert url_problem("http://id.example.com/jwks", unsafe_http=True) is None
    assert url_problem("ftp://id.example.com/jwks", unsafe_http=True) == ABSOLUTE


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.255.255.254", "::1"])
def test_loopback_is_localhost_or_an_address_of_it(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "Localhost", "localhost.", "example.com", "128.0.0.1", "0.0.0.0", "::2", "127.0.0", "[::1]"]
)
def test_nothing_else_is_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://id.example.com", Endpoint(True, "id.example.com", 443, "/")),
        ("https://ID.example.com:8443/a/b?c=d&e", Endpoint(True, "id.example.com", 8443, "/a/b?c=d&e")),
        ("http://localhost", Endpoint(False, "localhost", 80, "/")),
        ("http://127.0.0.1:9/%7Ex", Endpoint(False, "127.0.0.1", 9, "/%7Ex")),
        ("https://[2001:db8::1]?q", Endpoint(True, "2001:db8::1", 443, "/?q")),
        ("https://id.example.com:/x?", Endpoint(True, "id.example.com", 443, "/x")),
        ("https://id.example.com/a;b=c", Endpoint(True, "id.example.com", 443, "/a;b=c")),
    ],
)
def test_an_endpoint_is_where_a_connection_and_a_request_line_lead(url: str, expected: Endpoint) -> None:
    assert endpoint(url) == expected


near_urls = st.builds(
    "{}://{}{}{}".format,
    st.sampled_from(["https", "http", "HTTPS", "ftp"]),
    st.sampled_from(["id.example.com", "localhost", "127.0.0.1", "[::1]", "a@b", "", "x" * 3]),
    st.sampled_from(["", ":443", ":0", ":99999", ":x", ":"]),
    st.text("/a?#%@\\ \n:é[", max_size=8),
)


@settings(deadline=None, max_examples=300)
@given(near_urls | st.text(max_size=20))
@example("https://id.example.com/\n")
def test_what_passes_leads_to_one_place_and_a_request_line_without_spaces(url: str) -> None:
    if url_problem(url) is not None:
        return
    leads = endpoint(url)
    parts = urlsplit(url)
    assert leads.host == parts.hostname
    assert leads.host
    assert 0 < leads.port < 65536
    assert leads.secure or is_loopback(leads.host)
    assert leads.target.startswith("/")
    assert leads.target.isascii()
    assert leads.target.isprintable()
    assert not set(leads.target) & set(" #\\")
