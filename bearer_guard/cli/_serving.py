"""The server that an issuer is put under: uvicorn where it is installed, else waitress."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, Final

from .._errors import ConfigurationError
from ..issuer import ASGIApp, Issuer, WSGIApp

INSTALL: Final = "serving needs uvicorn, or waitress: pip install 'bearer-guard[issuer]'"
_THREADS: Final = 16


def server() -> Callable[[Issuer, socket.socket], None]:
    """What serves an issuer on a listening socket until Ctrl-C, which it raises then. Raises ConfigurationError."""
    try:
        import uvicorn
    except ImportError:
        return _waitress()

    def serve(issuer: Issuer, listening: socket.socket) -> None:
        config = uvicorn.Config(
            ASGIApp(issuer), log_level="warning", access_log=False, lifespan="off", ws="none", server_header=False
        )
        uvicorn.Server(config).run(sockets=[listening])

    return serve


def _waitress() -> Callable[[Issuer, socket.socket], None]:
    try:
        from waitress import wasyncore  # type: ignore[import-untyped, unused-ignore]
        from waitress.server import create_server  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        raise ConfigurationError(INSTALL) from None

    def serve(issuer: Issuer, listening: socket.socket) -> None:
        sockets: dict[int, Any] = {}
        running: Any = create_server(WSGIApp(issuer), map=sockets, sockets=[listening], threads=_THREADS, ident=None)
        running.run()
        wasyncore.close_all(sockets, ignore_all=True)
        raise KeyboardInterrupt  # it has swallowed the one that ended it

    return serve
