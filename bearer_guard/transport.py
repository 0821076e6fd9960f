"""What a transport of your own is written against: one exchange, what comes of it, and the failure that there is none.

Give an object with `send` as `transport=` to `RemoteJWKSet`, `JWTVerifier`, `IntrospectionVerifier` or a `TokenClient`.
"""

from __future__ import annotations

from ._flow import ExchangeFailed, Request, Response, Transport

__all__ = ["ExchangeFailed", "Request", "Response", "Transport"]
