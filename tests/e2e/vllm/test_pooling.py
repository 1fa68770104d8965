"""A tier with `task = "embedding"` on the real vLLM, without a router: its paths, its names, and how it stops."""

from __future__ import annotations

import time
from collections.abc import Iterator

import openai
import pytest

from e2e import web
from e2e.box import Box
from e2e.conftest import new_box
from e2e.engine import Engine
from e2e.vllm.servers import SERVED_NAME, Vllm, brought_up, client, exit_code, inventory, log_text, vllm_log


@pytest.fixture(scope="module")
def embedding(engine: Engine, vllm: Vllm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Bring up a tier that embeds."""
    with new_box(engine, tmp_path_factory.mktemp("embedding")) as box:
        brought_up(box, inventory(box, vllm, task="embedding"))
        yield box


def test_it_embeds(embedding: Box) -> None:
    answer = client(embedding.port("chat")).embeddings.create(model=SERVED_NAME, input=["one", "two"])

    assert [len(item.embedding) for item in answer.data] == [576, 576]
    assert answer.model == SERVED_NAME


def test_without_a_router_another_name_is_refused(embedding: Box) -> None:
    with pytest.raises(openai.NotFoundError, match="The model `no-such-name` does not exist"):
        client(embedding.port("chat")).embeddings.create(model="no-such-name", input="one")


def test_it_has_the_further_paths_of_its_data(embedding: Box) -> None:
    port = embedding.port("chat")
    body = {"model": SERVED_NAME, "input": "Paris", "prompt": "Paris", "tokens": [1, 2]}
    found = {path: web.ask(port, path, body=body).status for path in ("/tokenize", "/detokenize", "/pooling")}

    assert found == {"/tokenize": 200, "/detokenize": 200, "/pooling": 200}
    assert web.ask(port, "/v1/chat/completions", body=body).status == 404


def test_idle_it_stops_at_once_and_its_log_tells_no_failure(embedding: Box) -> None:
    began = time.monotonic()
    embedding.compose("stop", "chat")

    assert exit_code(embedding) == 0
    assert time.monotonic() - began < 50
    known = vllm_log()
    assert [line for line in log_text(embedding).splitlines() if known.cause(line)] == []
