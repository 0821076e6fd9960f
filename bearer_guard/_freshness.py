"""For how long an HTTP answer is fresh, and when a refused client may ask again (RFC 9111 §4.2, RFC 9110 §10.2.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

SHORTEST: Final = 60.0
LONGEST: Final = 3600.0

_DIRECTIVE = re.compile(r'\s*([A-Za-z\-]+)\s*(?:=\s*(?:"([^"]*)"|([^\s,]*)))?\s*(?:,|$)')
_SECONDS = re.compile(r"[0-9]{1,12}")


def fresh_for(headers: Mapping[str, str], *, otherwise: float) -> float:
    """Seconds from now, within 60 s and 1 h where the answer says something, else `otherwise`; names in lower case."""
    lifetime = _lifetime(headers)
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


def _lifetime(headers: Mapping[str, str]) -> float | None:
    control = headers.get("cache-control")
    if control is not None:
        directives = {found[1].lower(): found[2] or found[3] or "" for found in _DIRECTIVE.finditer(control)}
        if directives.keys() & {"no-store", "no-cache"}:
            return 0.0
        if (seconds := _seconds(directives.get("max-age", ""))) is not None:
            return seconds
    expires, date = headers.get("expires"), _date(headers.get("date", ""))
    if expires is None or date is None:
        return None
    moment = _date(expires)
    return 0.0 if moment is None else (moment - date).total_seconds()  # an invalid date has expired: RFC 9111 §5.3


def _seconds(text: str) -> float | None:
    return float(text) if _SECONDS.fullmatch(text.strip()) else None


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
