"""Facts from the Hugging Face Hub, asked through the real ``huggingface_hub`` at a server of the test's own."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from free_ports import free_port
from places import REPOSITORY

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONFIG = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "hidden_size": 64,
}  # fmt: skip
HEADER = {"model.embed_tokens.weight": {"dtype": "BF16", "shape": [10, 64], "data_offsets": [0, 1280]}}
ASK = """
import sys
from pathlib import Path
from anvil_gen.catalog.architectures import architectures
from anvil_gen.catalog.catalog import Catalog
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.fit.hub import hub_facts
try:
    facts = hub_facts(sys.argv[1], None, architectures(Catalog()), cache=Path(sys.argv[2]))
    print(facts.architecture, facts.layers, facts.bytes.language, facts.commit)
except DiagnosticError as error:
    print(error.diagnostics[0].code, error.diagnostics[0].detail)
"""
"""A process of its own, since the library reads the server's address once."""


def _safetensors() -> bytes:
    raw = json.dumps(HEADER).encode()
    return struct.pack("<Q", len(raw)) + raw + bytes(1280)


FILES = {"config.json": json.dumps(CONFIG).encode(), "model.safetensors": _safetensors()}


class Hub(BaseHTTPRequestHandler):
    """The part of the Hub that is asked: what a repository is, and its files."""

    asked: list[str]

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        type(self).asked.append(path)
        name = path.rpartition("/")[2]
        if path.startswith("/api/models/org/model"):
            self._send(
                200, json.dumps({"id": "org/model", "sha": COMMIT, "siblings": []}).encode(), with_body=with_body
            )
        elif path.startswith("/org/model/resolve/") and name in FILES:
            self._send(200, FILES[name], with_body=with_body)
        else:
            self._send(404, b"{}", with_body=with_body)

    def _send(self, code: int, body: bytes, *, with_body: bool) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"abc"')
        self.send_header("X-Repo-Commit", COMMIT)
        if code == 404:
            self.send_header("X-Error-Code", "EntryNotFound" if "/resolve/" in self.path else "RepoNotFound")
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    class Counting(Hub):
        asked: list[str] = []  # noqa: RUF012  one list a test

    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def ask(server: ThreadingHTTPServer, repo: str, folder: Path) -> str:
    return ask_at(server.server_address[1], repo, folder)


def ask_at(port: int, repo: str, folder: Path) -> str:
    environment = {
        "HF_ENDPOINT": f"http://127.0.0.1:{port}",
        "HF_HOME": str(folder / "hf"),
        "PYTHONPATH": str(REPOSITORY),
        "NO_PROXY": "127.0.0.1",
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-c", ASK, repo, str(folder / "cache")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_only_configuration_and_headers_are_read_and_kept(hub: ThreadingHTTPServer, tmp_path: Path) -> None:
    first = ask(hub, "org/model", tmp_path)
    asked: list[str] = hub.RequestHandlerClass.asked  # type: ignore[attr-defined]
    before = len(asked)

    assert first == f"Qwen3ForCausalLM F*2 1280 {COMMIT}"
    assert ask(hub, "org/model", tmp_path) == first
    assert [path for path in asked[before:] if "/resolve/" in path] == []


def test_what_the_hub_does_not_have_is_told(hub: ThreadingHTTPServer, tmp_path: Path) -> None:
    told = ask(hub, "org/none", tmp_path)

    assert told.startswith("model-cannot-be-read org/none: ")
    assert "is not reached" not in told


def test_a_hub_that_is_not_reached_is_told(tmp_path: Path) -> None:
    told = ask_at(free_port(), "org/model", tmp_path)

    assert told.startswith("model-cannot-be-read org/model: the Hugging Face Hub is not reached (")


def test_without_the_library_it_is_told_how_to_install_it(tmp_path: Path) -> None:
    lines = ASK.replace("import sys\n", "import sys\nsys.modules['huggingface_hub'] = None\n", 1)
    command = [sys.executable, "-c", lines, "org/model", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, cwd=REPOSITORY)

    assert "which is not installed" in done.stdout
