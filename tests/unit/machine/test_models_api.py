"""Which models an engine says it serves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from anvil_gen.catalog.engine import ModelsEndpoint
from anvil_gen.machine.models_api import Address, served_models


@contextmanager
def answering(status: int, body: bytes) -> Iterator[Address]:
    """Answer every request in one way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield ("127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("body", "names", "expected"),
    [
        (b'{"data": [{"id": "a"}, {"id": "b"}]}', "data[].id", ("a", "b")),
        (b'{"model_id": "bge-m3"}', "model_id", ("bge-m3",)),
        (b'{"data": null}', "data[].id", ()),
        (b'{"data": [1, {"id": 2}]}', "data[].id", ()),
        (b"[]", "data[].id", ()),
        (b"loading", "data[].id", ()),
    ],
)
def test_names_are_found(body: bytes, names: str, expected: tuple[str, ...]) -> None:
    with answering(200, body) as address:
        assert served_models({"fast": (address, ModelsEndpoint(names=names))}) == {"fast": expected}


def test_who_does_not_answer_serves_nothing() -> None:
    assert served_models({"fast": (("127.0.0.1", 1), ModelsEndpoint())}) == {"fast": ()}
    assert served_models({}) == {}
