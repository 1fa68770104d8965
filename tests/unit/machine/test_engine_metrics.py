"""How many requests an engine says it has, in Prometheus' form."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.metrics import Metrics
from anvil_gen.machine.engine_metrics import Requests, requests_of, sums_of
from anvil_gen.machine.gpus import used_mib
from anvil_gen.machine.models_api import Address
from anvil_gen.machine.subprocesses import Answer

VLLM = b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a} 7"} 3.0
vllm:num_requests_running{engine="1",model_name="a"} 2.0 1795946503000
vllm:num_requests_waiting{engine="0"} 1e1
vllm:kv_cache_usage_perc NaN
nonsense
"""


@contextmanager
def metrics_at(path: str, body: bytes) -> Iterator[Address]:
    """Answer one path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == path else 404)
            self.end_headers()
            self.wfile.write(body if self.path == path else b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield ("127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        server.server_close()


def metrics_of(engine: str) -> Metrics:
    found = Catalog().engine(engine)
    assert found is not None
    assert found.metrics is not None
    return found.metrics


def test_samples_of_all_labels_are_added() -> None:
    assert sums_of(VLLM.decode()) == {"vllm:num_requests_running": 5.0, "vllm:num_requests_waiting": 10.0}


def test_requests_are_read_by_the_engines_own_names() -> None:
    with metrics_at("/metrics", VLLM) as address, metrics_at("/v1/metrics", b"num_requests_running 4\n") as nim:
        asked = {"chat": (address, metrics_of("vllm")), "nim": (nim, metrics_of("nim"))}
        other = {"small": (address, metrics_of("llamacpp"))}

        assert requests_of({**asked, **other}) == {
            "chat": Requests(running=5, waiting=10),
            "nim": Requests(running=4),
            "small": Requests(),
        }


def test_who_does_not_answer_tells_nothing() -> None:
    assert requests_of({"chat": (("127.0.0.1", 1), metrics_of("vllm"))}) == {"chat": Requests()}
    assert requests_of({}) == {}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(code=0, stdout="GPU-1F, 1024\nGPU-2, [N/A]\n"), {"gpu-1f": 1024}),
        (Answer(code=None), {}),
    ],
)
def test_used_memory_is_told_by_the_vendors_program(answer: Answer, expected: dict[str, int]) -> None:
    vendor = Catalog().vendor("nvidia")
    assert vendor is not None

    assert used_mib(vendor, run=lambda _: answer) == expected
