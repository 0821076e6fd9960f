"""An ASGI linter: what `wsgiref.validate` is for WSGI. Wrap an application in `linted` and every breach of the ASGI
specification (HTTP & WebSocket 2.5, Lifespan 2.0), by the application or by what calls it, raises `Breach`."""

from __future__ import annotations

from typing import Any


class Breach(AssertionError):
    """A breach of the ASGI specification."""


def need(condition: object, message: str) -> None:
    if not condition:
        raise Breach(message)


def linted(app: Any) -> Any:
    """`app`, held to the specification on both sides."""

    async def linter(scope: Any, receive: Any, send: Any) -> None:
        check_scope(scope)
        exchange = _KINDS[scope["type"]](scope)

        async def checked_receive() -> Any:
            message = await receive()
            check_message(message)
            exchange.received(message)
            return message

        async def checked_send(message: Any) -> None:
            check_message(message)
            exchange.sent(message)
            await send(message)

        await app(scope, checked_receive, checked_send)
        exchange.ended()

    return linter


def check_scope(scope: Any) -> None:
    need(type(scope) is dict, "the scope is not a dict")
    need(all(type(key) is str for key in scope), "a key of the scope is not a str")
    need(scope.get("type") in _KINDS, f"unknown scope type {scope.get('type')!r}")
    need("asgi" not in scope or isinstance(scope["asgi"].get("version"), str), "asgi without its version")
    if scope["type"] == "lifespan":
        return
    need(isinstance(scope["path"], str), "path is not a str")
    need(isinstance(scope.get("raw_path", b""), bytes | None), "raw_path is not bytes")
    need(isinstance(scope.get("root_path", ""), str), "root_path is not a str")
    need(isinstance(scope["query_string"], bytes), "query_string is not bytes")
    need(isinstance(scope["headers"], list | tuple), "headers are not a list")
    check_headers(scope["headers"])
    if scope["type"] == "http":
        need(
            isinstance(scope["method"], str) and scope["method"] == scope["method"].upper(), "method not in upper case"
        )


def check_headers(headers: Any) -> None:
    for pair in headers:
        need(len(pair) == 2, "a header is not a pair")
        name, value = pair
        need(type(name) is bytes and type(value) is bytes, f"header {name!r}: not bytes")
        need(name and name == name.lower(), f"header {name!r}: not in lower case")
        need(not name.startswith(b":"), f"header {name!r}: a pseudo-header")


def check_sent_headers(headers: Any) -> None:
    check_headers(headers)
    for name, value in headers:
        need(not set(name) & set(b" \t\r\n\0:"), f"header {name!r}: not a token")
        need(not set(value) & set(b"\r\n\0"), f"header {name!r}: line break or NUL in the value")


def check_message(message: Any) -> None:
    need(type(message) is dict, "an event is not a dict")
    need(type(message.get("type")) is str, "an event has no type")


class _Response:
    """The events of one response, `prefix.response.start` and `.body`."""

    def __init__(self, prefix: str, head: bool) -> None:
        self.prefix = prefix
        self.head = head
        self.status: int | None = None
        self.length: int | None = None
        self.size = 0
        self.complete = False

    def sent(self, message: Any) -> None:
        need(not self.complete, f"{message['type']} after the end of the response")
        if message["type"] == f"{self.prefix}.response.start":
            need(self.status is None, "the response starts twice")
            status = message["status"]
            need(type(status) is int and 100 <= status <= 599, f"status {status!r}")
            headers = list(message.get("headers", ()))
            check_sent_headers(headers)
            self.status = status
            lengths = [value for name, value in headers if name == b"content-length"]
            need(len(lengths) <= 1, "content-length twice")
            self.length = int(lengths[0]) if lengths else None
            return
        need(message["type"] == f"{self.prefix}.response.body", f"unexpected event {message['type']}")
        need(self.status is not None, "body before start")
        body = message.get("body", b"")
        need(type(body) is bytes, "the body is not bytes")
        need(not (self.head and body), "a body in answer to HEAD")
        self.size += len(body)
        if not message.get("more_body", False):
            self.complete = True
            need(self.head or self.length in (None, self.size), f"content-length {self.length}, body of {self.size}")

    def ended(self) -> None:
        need(self.complete, "the application returned before its response was complete")


class _HTTP:
    def __init__(self, scope: Any) -> None:
        self.response = _Response("http", scope["method"] == "HEAD")

    def received(self, message: Any) -> None:
        need(message["type"] in ("http.request", "http.disconnect"), f"received {message['type']}")

    def sent(self, message: Any) -> None:
        self.response.sent(message)

    def ended(self) -> None:
        self.response.ended()


class _WebSocket:
    def __init__(self, scope: Any) -> None:
        self.denials = "websocket.http.response" in scope.get("extensions", {})
        self.connected = self.gone = False
        self.state = "handshake"
        self.response = _Response("websocket.http", head=False)

    def received(self, message: Any) -> None:
        if not self.connected:
            need(message["type"] in ("websocket.connect", "websocket.disconnect"), f"received {message['type']} first")
            self.connected = True
        else:
            need(message["type"] in ("websocket.receive", "websocket.disconnect"), f"received {message['type']}")
        self.gone = self.gone or message["type"] == "websocket.disconnect"

    def sent(self, message: Any) -> None:
        kind = message["type"]
        need(self.connected, f"{kind} before websocket.connect was received")
        need(self.state != "closed", f"{kind} after the close")
        if kind.startswith("websocket.http.response."):
            need(self.denials, "a denial response without the extension")
            need(self.state in ("handshake", "denial"), "a denial response after accept")
            self.state = "denial"
            self.response.sent(message)
            self.state = "closed" if self.response.complete else "denial"
        elif kind == "websocket.accept":
            need(self.state == "handshake", "accept twice")
            check_sent_headers(message.get("headers", ()))
            self.state = "open"
        elif kind == "websocket.close":
            need(self.state in ("handshake", "open"), "close within a denial response")
            need(type(message.get("code", 1000)) is int, "the close code is not an int")
            self.state = "closed"
        else:
            need(kind == "websocket.send" and self.state == "open", f"unexpected event {kind}")
            need((message.get("bytes") is None) != (message.get("text") is None), "not one of bytes and text")

    def ended(self) -> None:
        need(self.state == "closed" or self.gone, f"the application returned in state {self.state!r}")


class _Lifespan:
    def __init__(self, scope: Any) -> None:
        self.asked: list[str] = []

    def received(self, message: Any) -> None:
        need(message["type"] in ("lifespan.startup", "lifespan.shutdown"), f"received {message['type']}")
        self.asked.append(message["type"])

    def sent(self, message: Any) -> None:
        phase, _, outcome = message["type"].rpartition(".")
        need(phase in self.asked and outcome in ("complete", "failed"), f"unexpected event {message['type']}")
        self.asked.remove(phase)

    def ended(self) -> None:
        need(not self.asked, "an unanswered lifespan event")


_KINDS: dict[str, Any] = {"http": _HTTP, "websocket": _WebSocket, "lifespan": _Lifespan}
