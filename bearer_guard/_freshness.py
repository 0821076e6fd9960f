"""For how long an HTTP answer is fresh, and when a refused client may ask again (RFC 9111 §4.2, RFC 9110 §10.2.3).

Written for answers of servers that mean no good: one pass over a field, numbers bounded, nonsense is no statement.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

SHORTEST: Final = 60.0
LONGEST: Final = 3600.0

_SECONDS: Final = re.compile(r"[0-9]+")
_LARGEST: Final = 2.0**31  # what a delta-seconds counts as that is too large: RFC 9111 §1.2.2
_LONGEST_DATE: Final = 64  # characters; the longest form of RFC 9110 §5.6.7 has 33


def fresh_for(headers: Mapping[str, str], now: datetime, *, otherwise: float) -> float:
    """Seconds from now, within 60 s and 1 h where the answer says something, else `otherwise`; names in lower case.

    `now` is when the answer came, which stands for a Date that it lacks (RFC 9110 §6.6.1).
    """
    lifetime = _lifetime(headers, now)
    if lifetime is None:
        return otherwise
    return min(max(lifetime - (_seconds(headers.get("age", "")) or 0), SHORTEST), LONGEST)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Seconds that Retry-After asks for, 0 where it is absent or makes no sense."""
    text = headers.get("retry-after", "")
    seconds = _seconds(text)
    if seconds is not None:
        return seconds
    moment = _date(text)
    return 0.0 if moment is None or now is None else max(0.0, (moment - now).total_seconds())


def _lifetime(headers: Mapping[str, str], now: datetime) -> float | None:
    directives = _directives(headers.get("cache-control", ""))
    if directives.keys() & {"no-store", "no-cache"}:
        return 0.0
    if (seconds := _seconds(directives.get("max-age", ""))) is not None:
        return seconds
    expires = headers.get("expires")
    if expires is None:
        return None
    moment = _date(expires)
    if moment is None:
        return 0.0  # an invalid date has expired: RFC 9111 §5.3
    return (moment - (_date(headers.get("date", "")) or now)).total_seconds()


def _directives(control: str) -> dict[str, str]:
    """The directives of Cache-Control by name, the first of each; a comma inside quotes parts them as well."""
    directives: dict[str, str] = {}
    for directive in control.split(","):
        name, _, value = directive.partition("=")
        directives.setdefault(name.strip().lower(), value.strip().strip('"'))
    return directives


def _seconds(text: str) -> float | None:
    text = text.strip()
    return min(float(text), _LARGEST) if _SECONDS.fullmatch(text) else None


def _date(text: str) -> datetime | None:
    if not 0 < len(text) <= _LONGEST_DATE:
        return None
    try:
        moment = parsedate_to_datetime(text)
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None  # the parser of mail dates was not written for hostile ones
