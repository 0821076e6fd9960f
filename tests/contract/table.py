"""The table: a request, and what every adapter must answer to it.

Ids are those of the conformance and attack lists that the project keeps; a letter after a dash tells variants apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from .exchange import Call
from .guards import INVALID, LONG, OPAQUE

OK, BARE, IT, IR, IS, DOWN = "OK", "BARE", "IT", "IR", "IS", "DOWN"
"""200 from the application; 401 without and with `invalid_token`; 400; 403; 503."""


@dataclass(frozen=True)
class Row:
    id: str
    call: Call
    expected: str
    scope: str | None = None
    """The scopes that a 403 names."""
    token: str | None = None
    """What the verifier must have been asked about, when it says more than the answer."""


def auth(*values: str, **members: object) -> Call:
    return Call(headers=tuple(("Authorization", value) for value in values), **members)  # type: ignore[arg-type]


def fields(*pairs: tuple[str, str], **members: object) -> Call:
    return Call(headers=pairs, **members)  # type: ignore[arg-type]


def rows(id: str, expected: str, *calls: Call) -> list[Row]:
    assert len(calls) <= 26
    return [
        Row(f"{id}-{letter}", call, expected) for letter, call in zip("abcdefghijklmnopqrstuvwxyz", calls, strict=False)
    ]


GOOD = ("Authorization", "Bearer good")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
MULTIPART = b'--x\r\nContent-Disposition: form-data; name="access_token"\r\n\r\ngood\r\n--x--\r\n'

TABLE: tuple[Row, ...] = (
    # A: the token in the request
    Row("A01", auth("Bearer good"), OK, token="good"),
    *rows("A02", OK, auth("bearer good"), auth("BEARER good"), auth("bEaReR good")),
    Row("A03-spaces", auth("Bearer   good"), OK, token="good"),
    Row("A03-tab", auth("Bearer\tgood"), IR),
    *rows("A04", IR, *(auth(f"Bearer {text}") for text in ("a,b", '"x"', "a b", "a=b", "{}"))),
    Row("A05", auth(f"Bearer {OPAQUE}"), OK, token=OPAQUE),
    *rows("A06", IR, auth("Bearer"), auth("Bearer "), auth("")),
    *rows("A07", BARE, auth("Basic Zm9v"), auth('Digest username="u", nonce="n"'), auth("Negotiate YII=")),
    *rows("A08", BARE, auth("BearerX good"), auth("Bearer2 good"), auth("Bearergood")),
    *rows("A09", IR, auth("Bearer good", "Bearer junk"), auth("Bearer junk", "Bearer good")),
    Row("A10", auth("Bearer good,Bearer good"), IR),
    Row("A12-query", Call(query="access_token=good"), BARE),
    Row("A12-both", auth("Bearer good", query="access_token=junk&x=1"), OK, token="good"),
    Row("A17", fields(("Cookie", "access_token=good")), BARE),
    *rows("A18", IR, auth("Bearer " + "a" * 1_000_000), auth("Bearer " + "." * 1_000_000)),
    Row("A18-ml-dsa", auth(f"Bearer {LONG}"), OK, token=LONG),
    # B: challenges
    Row("B01", Call(), BARE),
    Row("B01-post", Call(method="POST", body=b"x"), BARE),
    Row("B03", Call(headers=(("Accept", "text/html"),)), BARE),
    Row("B04", auth("Bearer expired"), IT),
    *(Row(f"B05-{name}", auth(f"Bearer {name}"), IT) for name in INVALID),
    Row("B05-unheard-of", auth("Bearer x.y.z"), IT),
    Row("B05-sender-constrained", auth("Bearer bound"), IT),
    Row("B07", auth("Bearer good", method="POST", target="/w"), IS, scope="write"),
    Row("B07-enough", auth("Bearer writer", method="POST", target="/w"), OK),
    Row("B08", auth("Bearer has-a", target="/ab"), IS, scope="a b"),
    Row("B08-enough", auth("Bearer has-ab", target="/ab"), OK),
    Row("B08-any-of", auth("Bearer good", target="/either"), IS, scope="x"),
    Row("B19", auth("Bearer outage"), DOWN),
    Row("B20", Call(method="HEAD"), BARE),
    Row("B20-invalid", auth("Bearer expired", method="HEAD"), IT),
    Row("B20-scope", auth("Bearer has-a", method="HEAD", target="/ab"), IS, scope="a b"),
    Row("B20-outage", auth("Bearer outage", method="HEAD"), DOWN),
    Row("B20-good", auth("Bearer good", method="HEAD"), OK),
    # HTTP carriage
    *rows("HTTP-1", IR, auth("Bearer good", "Bearer good"), auth("Bearer good", "Basic eA==")),
    *rows("HTTP-2", IR, auth("Bearer good,Bearer junk"), auth("Bearer good, Basic eA=="), auth("Bearer good,")),
    Row("HTTP-3", auth("Bearer\r\n good"), IR),
    *rows("HTTP-4", IR, *(auth(f"Bearer go{byte}od") for byte in "\0\x7f\x80\xe9\xff\r\n\t")),
    *rows("HTTP-4-first", IR, *(auth(f"{byte}Bearer good") for byte in "\0\xe9\t ")),
    *rows(
        "HTTP-5",
        BARE,
        *(fields((name, "Bearer good")) for name in ("authorization_", "HTTP_AUTHORIZATION", "X-Authorization")),
        fields(("Proxy-Authorization", "Bearer good")),
        fields(("Authorization-", "Bearer good")),
        fields(("Redirect-HTTP-Authorization", "Bearer good")),
    ),
    *rows(
        "HTTP-6",
        BARE,
        *(fields((name, "good")) for name in ("D_PoP", "Client_Cert", "X_Forwarded_Host", "X_Forwarded_Proto", "X_User")),
    ),
    Row("HTTP-7", fields(("Connection", "Authorization"), ("Via", "1.1 proxy.example")), BARE),
    *rows("HTTP-8", IR, *(auth(f"Bearer {text}") for text in ("a,b", "'good'\"", "go=od", "go%6Fd", "go  od", "good x"))),
    *rows("HTTP-9", IT, *(auth(f"Bearer {text}") for text in ("null", "undefined", "None"))),
    Row("HTTP-9-object", auth("Bearer [object Object]"), IR),
    *rows(
        "HTTP-10",
        BARE,
        Call(query="access_token=good&bearer=good"),
        fields(FORM, method="POST", body=b"access_token=good"),
        fields(("Content-Type", "application/json"), method="POST", body=b'{"access_token": "good"}'),
        fields(("Cookie", "Authorization=Bearer good")),
        fields(("Sec-WebSocket-Protocol", "bearer, good")),
        fields(("Referer", "https://app.example/?access_token=good")),
        fields(("Content-Type", "multipart/form-data; boundary=x"), method="POST", body=MULTIPART),
        fields(FORM, body=b"access_token=good"),
    ),
    Row("HTTP-14-lone-options", Call(method="OPTIONS"), BARE),
    Row("HTTP-14-origin-alone", fields(("Origin", "https://app.example"), method="OPTIONS"), BARE),
    Row("HTTP-14-no-origin", fields(("Access-Control-Request-Method", "GET"), method="OPTIONS"), BARE),
    Row("HTTP-14-not-options", fields(("Origin", "x"), ("Access-Control-Request-Method", "GET"), method="POST"), BARE),
    *rows("HTTP-15", BARE, fields(("X-HTTP-Method-Override", "OPTIONS"), method="POST"), Call(method="POST", query="_method=OPTIONS")),
    *rows(
        "HTTP-17",
        BARE,
        *(
            fields((name, "u1"))
            for name in ("bearer_guard.token", "bearer-guard.guard", "Bearer-Guard-Token", "X-Bearer-Guard-Sub", "Remote-User")
        ),
    ),
)  # fmt: skip

# Requests to an application with public paths `/open` and `/docs/*`: without a token, those that are not public.
PATHS: tuple[Row, ...] = (
    *rows("PATH-0", OK, *(Call(target=target) for target in ("/open", "/docs", "/docs/", "/docs/a", "/docs/a/b.css", "/docs/.well-known"))),
    Row("PATH-0-query", Call(target="/open", query="x=/../r"), OK),
    Row("PATH-0-encoded-letter", Call(target="/%6fpen"), OK),
    Row("PATH-0-target-unknown", Call(target="/open", tells_target=False), OK),
    *rows(
        "PATH-1",
        BARE,
        *(
            Call(target=target)
            for target in (
                "/", "//open", "/./open", "/x/../open", "/open/.", "/open;x=1", "/open/", "/OPEN", "/\\open", "/%256fpen",
                "/open%2f", "/%2e%2e/open", "/open%00", "/open%20", "/open%3f", "/open%23", "/open%0a", "/open%0A/",
            )
        ),
    ),
    *rows(
        "PATH-2",
        BARE,
        *(
            Call(target=target)
            for target in (
                "/docs/../r", "/docs%2f..%2fr", "/docsx", "/docs-r", "/docs/../../r", "/docs//r", "/docs/%2e%2e/r", "/docs/%2E%2E/r",
                "/docs/..%5cr", "/docs/%5c..%5cr", "/docs/a%2fr", "/docs/a%2Fr", "/docs/\\r", "/docs/./r", "/docs/..;/r", "/docs/.",
                "/docs/%2e/r",
            )
        ),
    ),
    Row("PATH-2-target-unknown", Call(target="/docs/%2e%2e/r", tells_target=False), BARE),
    *rows(
        "PATH-3",
        BARE,
        *(fields(("Host", host)) for host in ("x/open?a=", "x#", "x\\", "api.example/open")),
        fields(("Host", "x"), ("Host", "y/open?")),
    ),
    *rows(
        "PATH-4",
        BARE,
        *(
            fields((name, "/open"))
            for name in ("X-Forwarded-Uri", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Forwarded-Path", "Script-Name")
        ),
    ),
    Row("PATH-5-mounted", Call(target="/open", root="/api"), OK),
    Row("PATH-5-mounted-tree", Call(target="/docs/a", root="/api"), OK),
    *rows(
        "PATH-5",
        BARE,
        Call(target="/api/open"),
        Call(target="/api/open", root="/api"),
        Call(target="//open", root="/api"),
        Call(target="/r", root="/open"),
        Call(target="/r", root="/docs"),
        Call(target="/a", root="/docs"),
    ),
    *rows("PATH-6", BARE, *(Call(target=f"/docs/{text}") for text in ("%ff", "%c0%af", "%u0061", "%2561", "%ed%a0%80"))),
)  # fmt: skip
