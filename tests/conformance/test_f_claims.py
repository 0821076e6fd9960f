"""Rows F of the conformance list: claims (RFC 7519, RFC 9068)."""

from __future__ import annotations

from typing import Any

import pytest

from bearer_guard import (
    AccessToken,
    BadSignature,
    ConfigurationError,
    ExpiredToken,
    Guard,
    IncomingRequest,
    InvalidClaim,
    InvalidToken,
    JWTVerifier,
    MultiIssuer,
    StaticJWKSet,
    TokenNotYetValid,
    UntrustedIssuer,
)
from bearer_guard.asgi import BearerMiddleware
from tests.answers import BARE, IT, OK, admitted, ask, guard, refused
from tests.tokens import ABSENT, CLAIMS, HEADER, ISSUER, NOW, RESOURCE, T, json_octets, jwk, jwks, raw, signer, spliced

OTHER = "https://other.example"


def both(**options: Any) -> tuple[Guard, Guard]:
    """The default profile and RFC 9068's."""
    return guard(**options), guard(profile="rfc9068", **options)


@pytest.mark.parametrize(
    "typ",
    [
        "JWT",
        ABSENT,
        "dpop+jwt",
        "logout+jwt",
        "at+jwt ",
        " at+jwt",
        "at",
        "jwt+at",
        "at+jwt;x=1",
        "x-at+jwt",
        "text/at+jwt",
        "application/application/at+jwt",
        "application/at+jwt/x",
        "id_token+jwt",
        "",
    ],
    ids=repr,
)
def test_F01_in_rfc_9068_mode_the_type_is_at_jwt(typ: Any) -> None:
    refused(guard(profile="rfc9068"), T({"typ": typ}), InvalidToken, "type_not_allowed")
    assert ask(guard(profile="rfc9068"), T()).kind == OK


@pytest.mark.parametrize("typ", [None, 5, ["at+jwt"], {}, True], ids=repr)
def test_F01_a_type_that_is_no_string_is_refused(typ: Any) -> None:
    for subject in both():
        refused(subject, T({"typ": typ}), InvalidToken, "type_not_allowed")


@pytest.mark.parametrize(
    "typ", ["at+jwt", "at+JWT", "AT+JWT", "application/at+jwt", "application/AT+JWT", "APPLICATION/at+jwt"]
)
def test_F02_the_type_is_compared_as_a_media_type(typ: str) -> None:
    for subject in both():
        assert ask(subject, T({"typ": typ})).kind == OK


@pytest.mark.parametrize("typ", [ABSENT, "JWT", "jwt", "application/jwt", "at+jwt"], ids=repr)
def test_F03_the_default_profile_takes_no_type_or_a_plain_one(typ: Any) -> None:
    assert ask(guard(), T({"typ": typ})).kind == OK


@pytest.mark.parametrize(
    "typ",
    ["id_token+jwt", "dpop+jwt", "token-introspection+jwt", "logout+jwt", "secevent+jwt", "JWS", "JOSE", "", "jwt2"],
    ids=repr,
)
def test_F03_the_default_profile_takes_no_other_explicit_type(typ: str) -> None:
    refused(guard(), T({"typ": typ}), InvalidToken, "type_not_allowed")


def test_F03_types_replace_the_list() -> None:
    subject = guard(types=["example+jwt", None])
    for typ, expected in (
        ("example+jwt", OK),
        ("application/EXAMPLE+JWT", OK),
        (ABSENT, OK),
        ("JWT", IT),
        ("at+jwt", IT),
    ):
        assert ask(subject, T({"typ": typ})).kind == expected


@pytest.mark.parametrize("claim", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
def test_F04_in_rfc_9068_mode_every_claim_is_required(claim: str) -> None:
    error = UntrustedIssuer if claim == "iss" else InvalidClaim
    for absent in (ABSENT, None):
        answer = refused(guard(profile="rfc9068"), T(**{claim: absent}), error)
        assert claim == "iss" or answer.error.claim == claim  # type: ignore[union-attr]


WRONG = [
    ("sub", 5),
    ("sub", ["u1"]),
    ("jti", 5),
    ("jti", {}),
    ("client_id", []),
    ("client_id", True),
    ("sub", None),
    ("jti", None),
]


@pytest.mark.parametrize(("claim", "value"), WRONG, ids=[f"{claim}-{value!r}" for claim, value in WRONG])
def test_F04_a_claim_of_the_wrong_type_is_refused_in_every_mode(claim: str, value: Any) -> None:
    for subject in both():
        refused(subject, T(**{claim: value}), InvalidClaim)


def test_F04_the_default_profile_requires_what_it_is_told_to() -> None:
    for claim in ("sub", "client_id", "jti", "iat"):
        assert ask(guard(), T(**{claim: ABSENT})).kind == OK
        refused(guard(required_claims=[claim]), T(**{claim: ABSENT}), InvalidClaim)


NOT_THE_ISSUER: list[Any] = [
    ISSUER + "/",
    ISSUER.upper(),
    "HTTPS://as.example",
    ISSUER[:-1],
    ISSUER + "x",
    ISSUER + ":443",
    ISSUER + "#",
    ISSUER + "?",
    " " + ISSUER,
    ISSUER + " ",
    ISSUER + "\u200b",
    "http://as.example",
    "https://u@as.example",
    "as.example",
    "https://as.example.evil.example",
    "",
    [ISSUER],
    [ISSUER, OTHER],
    {ISSUER: 1},
    {"value": ISSUER},
    None,
    True,
    0,
    ABSENT,
]


@pytest.mark.parametrize("issuer", NOT_THE_ISSUER, ids=repr)
def test_F05_the_issuer_is_exactly_the_configured_one(issuer: Any) -> None:
    for subject in (*both(), guard(MultiIssuer(guard()._verifier))):  # type: ignore[arg-type]
        refused(subject, T(iss=issuer), UntrustedIssuer)


def test_F05_issuer_none_means_that_it_must_be_absent() -> None:
    subject = guard(issuer=None)
    assert ask(subject, T(iss=ABSENT)).kind == OK
    for issuer in (ISSUER, "", None):
        refused(subject, T(iss=issuer), UntrustedIssuer)


NOT_THE_AUDIENCE: list[Any] = [
    "https://api.example.evil",
    RESOURCE + "/",
    RESOURCE.upper(),
    RESOURCE[:-1],
    RESOURCE + ":443",
    RESOURCE + "#",
    RESOURCE + "\u200b",
    " " + RESOURCE,
    f"x {RESOURCE}",
    f"{RESOURCE} x",
    f"x,{RESOURCE}",
    "*",
    "",
    {},
    {RESOURCE: 1},
    [],
    [[RESOURCE]],
    [1, RESOURCE],
    [RESOURCE, None],
    [{"aud": RESOURCE}],
    ["x", "y"],
    None,
    True,
    1,
]


@pytest.mark.parametrize("audience", NOT_THE_AUDIENCE, ids=repr)
def test_F06_the_audience_names_this_resource_exactly(audience: Any) -> None:
    for configured in (
        RESOURCE,
        {RESOURCE},
        (RESOURCE, "https://second.example"),
        {RESOURCE: "an object that answers in"},
    ):
        answer = refused(guard(audience=configured), T(aud=audience), InvalidClaim)
        assert answer.error.claim == "aud"  # type: ignore[union-attr]


@pytest.mark.parametrize("audience", [RESOURCE, [RESOURCE], ["x", RESOURCE], [RESOURCE, RESOURCE]], ids=repr)
def test_F06_one_element_that_names_this_resource_is_enough(audience: Any) -> None:
    for subject in (*both(), *both(audience={RESOURCE, "y"})):
        token = admitted(subject, T(aud=audience))
        assert token.audience == ((audience,) if isinstance(audience, str) else tuple(audience))


def test_F07_a_missing_audience_is_refused_and_there_is_no_default() -> None:
    for subject in both():
        refused(subject, T(aud=ABSENT), InvalidClaim)
    with pytest.raises(ConfigurationError, match="audience"):
        JWTVerifier(issuer=ISSUER, keys=StaticJWKSet(jwks()))  # type: ignore[call-arg]
    for nobody in ("", [], (), frozenset(), b"https://api.example", 5):
        with pytest.raises(ConfigurationError, match="audience"):
            guard(audience=nobody)


def test_F07_audience_none_means_that_it_must_be_absent() -> None:
    subject = guard(audience=None)
    assert ask(subject, T(aud=ABSENT)).kind == OK
    for audience in (RESOURCE, "x", [], [RESOURCE], None):
        refused(subject, T(aud=audience), InvalidClaim)


def test_F08_a_token_is_expired_at_its_expiry_and_good_a_second_before() -> None:
    for subject in both():
        refused(subject, T(exp=NOW), ExpiredToken, "expired")
        refused(subject, T(exp=NOW - 1), ExpiredToken)
        assert ask(subject, T(exp=NOW + 1)).kind == OK
        refused(subject, T(exp=ABSENT), InvalidClaim)


def test_F09_parts_of_a_second_count() -> None:
    assert ask(guard(), T(exp=NOW + 0.5)).kind == OK
    assert (
        ask(
            guard(),
            raw(HEADER, json_octets({**CLAIMS, "exp": 0})[:-1].replace(b'"exp":0', b'"exp":1.80000001e9') + b"}"),
        ).kind
        == OK
    )
    refused(guard(clock=lambda: NOW + 0.5), T(exp=NOW + 0.5), ExpiredToken)
    refused(guard(), T(nbf=NOW + 0.5), TokenNotYetValid)


NOT_DATES: list[Any] = [
    "9999999999",
    "\u0661\u0668\u0660\u0660\u0660\u0660\u0660\u0663\u0660\u0660",
    "1_800_000_300",
    "2036-01-01T00:00:00Z",
    "0x6b49d200",
    "",
    "x",
    True,
    False,
    None,
    [],
    [NOW],
    {},
    {"$numberLong": "9999999999"},
]


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", NOT_DATES, ids=ascii)
def test_F10_what_is_no_number_is_no_date_and_is_not_taken_for_absent(claim: str, value: Any) -> None:
    for subject in both():
        answer = refused(subject, T(**{claim: value}), InvalidClaim)
        assert answer.error.claim == claim  # type: ignore[union-attr]


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_F10_what_is_not_finite_is_no_json(claim: str, value: str) -> None:
    claims = json_octets({name: member for name, member in CLAIMS.items() if name != claim})
    answer = refused(guard(), spliced(claims, member=f'"{claim}":{value}'), type(_malformed()))
    assert answer.error.reason == "malformed_token"  # type: ignore[union-attr]


def _malformed() -> InvalidToken:
    from bearer_guard import MalformedToken

    return MalformedToken()


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value", ["1e300", "9" * 4000, "-1", "-1e300", "9007199254740993", "1e18", "-0.5"], ids=lambda v: v[:20]
)
def test_F11_a_date_out_of_range_is_refused_and_never_a_500(claim: str, value: str) -> None:
    claims = json_octets({name: member for name, member in CLAIMS.items() if name != claim})
    answer = refused(guard(), spliced(claims, member=f'"{claim}":{value}'), InvalidClaim)
    assert answer.error.claim == claim  # type: ignore[union-attr]


def test_F12_a_token_is_not_valid_before_its_time() -> None:
    for subject in both():
        refused(subject, T(nbf=NOW + 1), TokenNotYetValid, "not_yet_valid")
        assert ask(subject, T(nbf=NOW)).kind == OK
        assert ask(subject, T(nbf=0)).kind == OK


def test_F13_a_token_from_the_future_or_too_old_is_refused() -> None:
    for subject in both():
        refused(subject, T(iat=NOW + 3600, exp=NOW + 7200), TokenNotYetValid)
        refused(subject, T(iat=NOW + 1), TokenNotYetValid)
        assert ask(subject, T(iat=NOW - 10**6)).kind == OK
    aged = guard(max_token_age=60)
    assert ask(aged, T(iat=NOW - 59)).kind == OK
    refused(aged, T(iat=NOW - 60), ExpiredToken)
    refused(aged, T(iat=ABSENT), InvalidClaim)


def test_F14_one_leeway_holds_for_every_date() -> None:
    subject = guard(leeway=60)
    for good in ({"exp": NOW - 59}, {"nbf": NOW + 60}, {"iat": NOW + 60}):
        assert ask(subject, T(**good)).kind == OK
    refused(subject, T(exp=NOW - 60), ExpiredToken)
    refused(subject, T(nbf=NOW + 61), TokenNotYetValid)
    refused(subject, T(iat=NOW + 61), TokenNotYetValid)


@pytest.mark.parametrize("leeway", [-1, float("nan"), float("inf"), 1e9, 301, "30", None, True], ids=repr)
def test_F14_a_leeway_beyond_reason_is_a_configuration_error(leeway: Any) -> None:
    with pytest.raises(ConfigurationError, match="leeway"):
        guard(leeway=leeway)


@pytest.mark.parametrize(
    "claims",
    [{}, {"exp": 1}, {"aud": "x"}, {"nbf": NOW + 9}, {"iss": OTHER}, {"sub": 5}, {"exp": "x"}, {"cnf": {}}],
    ids=str,
)
def test_F15_without_a_good_signature_no_claim_influences_the_answer(claims: dict[str, Any]) -> None:
    fresh = refused(guard(), T(by=signer(number=1)), BadSignature)
    forged = refused(guard(), T(by=signer(number=1), **claims), BadSignature)
    assert forged.wire == fresh.wire


ID_TOKEN = {"nonce": "n", "at_hash": "h", "auth_time": NOW, "client_id": ABSENT, "scope": ABSENT, "jti": ABSENT}


def test_F16_an_id_token_is_no_access_token() -> None:
    for subject in both():
        assert ask(subject, T({"typ": "JWT"}, aud="c1", **ID_TOKEN)).kind == IT
        assert ask(subject, T({"typ": "JWT"}, **ID_TOKEN)).kind == IT  # also where it names this API
        assert ask(subject, T({"typ": ABSENT}, **ID_TOKEN)).kind == IT


OTHER_KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "refresh-token": ("refresh+jwt", {}),
    "refresh-token-for-the-issuer": ("JWT", {"aud": ISSUER}),
    "logout-token": ("logout+jwt", {}),
    "logout-token-of-old": ("JWT", {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
    "security-event": ("secevent+jwt", {}),
    "client-assertion": ("client-authentication+jwt", {}),
    "client-assertion-of-old": ("JWT", {"iss": "c1", "sub": "c1", "aud": ISSUER}),
    "dpop-proof": ("dpop+jwt", {}),
    "dpop-proof-untyped": (ABSENT, {"htm": "GET", "htu": RESOURCE}),
    "introspection-response": ("token-introspection+jwt", {}),
    "introspection-response-untyped": ("JWT", {"token_introspection": {"active": True}}),
    "status-list": ("statuslist+jwt", {}),
    "status-list-untyped": ("JWT", {"status_list": {"bits": 1, "lst": "x"}}),
    "user-info": ("userinfo+jwt", {}),
    "request-object": ("oauth-authz-req+jwt", {}),
    "key-binding": ("kb+jwt", {}),
}


@pytest.mark.parametrize(("typ", "claims"), OTHER_KINDS.values(), ids=OTHER_KINDS)
def test_F17_no_other_kind_of_token_is_an_access_token(typ: Any, claims: dict[str, Any]) -> None:
    for subject in both():
        assert ask(subject, T({"typ": typ}, **claims)).kind == IT


def test_F18_a_token_that_speaks_for_a_client_says_so() -> None:
    for claims, client in (
        ({"sub": "admin", "client_id": "admin"}, True),
        ({"sub": ABSENT}, True),
        ({"sub": "admin", "client_id": "c1"}, False),
        ({"client_id": ABSENT}, False),
    ):
        token = admitted(guard(), T(**claims))
        assert token.is_client is client
        assert (token.subject, token.client_id) == (
            None if claims.get("sub", "u1") is ABSENT else claims.get("sub", "u1"),
            None if claims.get("client_id", "c1") is ABSENT else claims.get("client_id", "c1"),
        )


@pytest.mark.parametrize(
    "confirmation",
    [
        {"jkt": "x"},
        {"x5t#S256": "x"},
        {"jwk": {}},
        {"kid": "k1"},
        {"foo": 1},
        {},
        "x",
        None,
        [],
        0,
        False,
        {"jkt": None},
    ],
    ids=repr,
)
def test_F19_F20_a_bound_token_is_no_bearer_token(confirmation: Any) -> None:
    for subject in both():
        answer = refused(subject, T(cnf=confirmation), InvalidClaim)
        assert answer.error.claim == "cnf"  # type: ignore[union-attr]


def test_F22_a_token_meets_the_policy_of_its_own_issuer_only() -> None:
    a = guard(algorithms=["ES256"])._verifier
    b = JWTVerifier(
        issuer=OTHER,
        audience="https://second.example",
        keys=StaticJWKSet(jwks(jwk("RSA"))),
        algorithms=["RS256"],
        profile="rfc9068",
        leeway=0,
        clock=lambda: NOW,
    )
    several = guard(MultiIssuer(a, b))  # type: ignore[arg-type]
    assert ask(several, T()).kind == OK
    assert ask(several, T({"alg": "RS256"}, iss=OTHER, aud="https://second.example")).kind == OK
    refused(several, T(aud="https://second.example"), InvalidClaim)
    refused(several, T({"alg": "RS256"}), InvalidToken, "algorithm_not_allowed")
    refused(several, T(iss=OTHER, aud="https://second.example"), InvalidToken, "algorithm_not_allowed")
    refused(
        several,
        T({"alg": "RS256", "typ": "JWT"}, iss=OTHER, aud="https://second.example"),
        InvalidToken,
        "type_not_allowed",
    )
    refused(several, T(iss="https://third.example"), UntrustedIssuer)


def test_F24_what_the_application_gets_is_read_only() -> None:
    token = admitted(guard(cache_size=10), T(nested={"list": [{"a": 1}]}))
    with pytest.raises(AttributeError):
        token.subject = "admin"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del token._scopes
    for attempt in (
        lambda: token.claims.__setitem__("sub", "admin"),
        lambda: token.claims["nested"].__setitem__("x", 1),
        lambda: token.claims["nested"]["list"].append(1),
        lambda: token.claims["nested"]["list"][0].update(a=2),
        lambda: token.scopes.add("write"),
    ):
        with pytest.raises((TypeError, AttributeError)):
            attempt()


def test_F24_nothing_that_a_client_sends_sets_the_guards_state() -> None:
    fields = (
        ("X-Bearer-Guard-Sub", "admin"),
        ("bearer_guard.token", "admin"),
        ("X-Forwarded-User", "admin"),
        ("Remote-User", "admin"),
    )
    assert ask(guard(), fields=fields).kind == BARE
    assert admitted(guard(), T(), fields=fields).subject == "u1"
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["bearer_guard.token"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def nothing(*_: Any) -> Any:
        return {"type": "http.request"}

    for authorization in ([(b"authorization", f"Bearer {T()}".encode())], []):
        subject = Guard(guard()._verifier, optional=True)
        planted = AccessToken(subject="admin", scopes=["write"])
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/r",
            "headers": [*authorization, (b"bearer_guard.token", b"admin")],
            "bearer_guard.token": planted,
            "user": planted,
            "auth": planted,
        }
        coroutine = BearerMiddleware(app, subject)(scope, nothing, nothing)
        with pytest.raises(StopIteration):
            coroutine.send(None)
        assert scope["bearer_guard.token"] is planted  # the server's own dictionary is left alone
    assert [getattr(token, "subject", None) for token in seen] == ["u1", None]


def test_F24_a_request_is_judged_anew_however_it_is_asked() -> None:
    subject, request = guard(), IncomingRequest("GET", "/r", {"authorization": f"Bearer {T()}"})
    assert subject.check(request) is not None
    assert subject.check(request) == subject.check(request)
    assert subject.check(request) is not subject.check(request)
