"""One real vLLM behind the default router, from its start to its end: the last test stops it."""

from __future__ import annotations

import json
import subprocess
import time
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from running import Result

from e2e import web
from e2e.box import Box
from e2e.conftest import new_box
from e2e.engine import Engine
from e2e.materials import REPOSITORY
from e2e.patience import until
from e2e.vllm.servers import (
    ANSWER_SECONDS,
    SERVED_NAME,
    Vllm,
    brought_up,
    client,
    exit_code,
    inventory,
    log_text,
    stages,
    vllm_log,
    waited,
)

KEY = "a key of the test"
STAGES = ["starting the engine", "loading weights", "starting its server"]
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the capital of France?"}]


METRICS = {
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:time_to_first_token_seconds",
    "vllm:inter_token_latency_seconds",
    "vllm:e2e_request_latency_seconds",
    "vllm:num_preemptions_total",
    "vllm:request_success_total",
}
DATA = REPOSITORY / "templates" / "engines" / "vllm" / "engine.toml"


class Server(NamedTuple):
    """A box whose tier is up, and what `up --wait` has printed."""

    box: Box
    started: Result

    @property
    def engine(self) -> openai.OpenAI:
        """A client of vLLM itself."""
        return client(self.box.port("chat"))

    @property
    def router(self) -> openai.OpenAI:
        """A client of the router."""
        return client(self.box.port("router"), KEY)


@pytest.fixture(scope="module")
def server(engine: Engine, vllm: Vllm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Bring up a tier with an adapter, behind a router."""
    with new_box(engine, tmp_path_factory.mktemp("server")) as box:
        box.environment["ANVIL_ROUTER_TOKEN"] = KEY
        data = inventory(box, vllm, lora={"tuned": "adapter"}, gpu_memory_utilization=0.5)
        data["tiers"]["chat"]["flags"] = {
            "enable-auto-tool-choice": True,
            "tool-call-parser": "hermes",
            "override-generation-config": {"temperature": 0.0},
        }
        data["router"] = {
            "container_name": box.name("router"),
            "port": box.port("router"),
            "api_key_env": "ANVIL_ROUTER_TOKEN",
            "aliases": {"default": "chat"},
        }
        yield Server(box, brought_up(box, data))


def said(answer: openai.types.chat.ChatCompletion) -> str:
    """Return the text of an answer."""
    return answer.choices[0].message.content or ""


def test_up_shows_its_stages(server: Server) -> None:
    lines = [line.split(maxsplit=2) for line in server.started.stderr.splitlines()]
    shown = [words for service, _, words in lines if service == "chat"]

    # One that is over between two looks is not shown; the log has all of them.
    seen = [words for words in shown if words in STAGES]
    assert len(seen) > 1
    assert seen == [stage for stage in STAGES if stage in seen]
    assert shown[-1] == "is healthy"


def test_its_log_has_the_stages_in_order_and_no_failure(server: Server) -> None:
    lines = log_text(server.box).splitlines()
    known = vllm_log()

    assert list(stages(lines)) == STAGES
    assert [line for line in lines if known.cause(line) or known.impairment(line)] == []


def test_it_is_healthy(server: Server) -> None:
    assert web.ask(server.box.port("chat"), "/health").status == 200

    def row() -> dict[str, Any]:
        (first, *_) = json.loads(server.box.anvil_gen("status", "box", "--json").stdout)["services"]
        return dict(first)

    # A server that is busy may answer too late to be asked for its models.
    told = until(row, lambda row: {SERVED_NAME, "tuned"} <= set(row["models"]))
    assert (told["service"], told["health"]) == ("chat", "healthy")


def test_it_lists_its_name_and_its_adapter(server: Server) -> None:
    listed = {model.id: model for model in server.engine.models.list()}

    assert [*listed] == [SERVED_NAME, "tuned"]
    assert listed["tuned"].model_dump()["parent"] == SERVED_NAME


@pytest.mark.parametrize("model", [SERVED_NAME, "default"])
def test_the_router_takes_the_name_and_the_alias(server: Server, model: str) -> None:
    answer = server.router.chat.completions.create(model=model, messages=QUESTION, max_tokens=16)

    assert "Paris" in said(answer)
    # Whatever it was called, vLLM says its own name.
    assert answer.model == SERVED_NAME


def test_it_answers_to_any_name_since_the_router_knows_the_aliases(server: Server) -> None:
    answer = server.engine.chat.completions.create(model="no-such-name", messages=QUESTION, max_tokens=4)

    assert answer.model == SERVED_NAME
    with pytest.raises(openai.NotFoundError):
        server.router.chat.completions.create(model="no-such-name", messages=QUESTION, max_tokens=4)


def test_the_adapter_answers_by_its_name_through_the_router(server: Server) -> None:
    answer = server.router.chat.completions.create(model="tuned", messages=QUESTION, max_tokens=16)
    plain = server.router.chat.completions.create(model=SERVED_NAME, messages=QUESTION, max_tokens=16)

    assert answer.model == "tuned"
    assert said(answer) != said(plain)


def test_the_answer_comes_as_a_stream(server: Server) -> None:
    stream = server.router.chat.completions.create(
        model="default", messages=QUESTION, max_tokens=16, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]

    assert "Paris" in "".join(word for word in words if word)
    assert len(words) > 3
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 3


def test_too_long_a_prompt_is_refused_in_the_words_of_the_docs(server: Server) -> None:
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "word " * 2000}]
    with pytest.raises(openai.BadRequestError, match="maximum context length is 1024 tokens"):
        server.router.chat.completions.create(model="default", messages=long)


def test_tools_are_taken_with_the_flags_of_the_tier(server: Server) -> None:
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    body = {"model": SERVED_NAME, "messages": QUESTION, "max_tokens": 4, "tools": [tool], "tool_choice": "auto"}
    answer = web.ask(server.box.port("chat"), "/v1/chat/completions", body=body)

    assert answer.status == 200, answer.text


@pytest.mark.parametrize("path", ["/tokenize", "/detokenize"])
def test_the_further_paths_of_its_data_are_there(server: Server, path: str) -> None:
    body = {"model": SERVED_NAME, "prompt": "Paris", "tokens": [1, 2]}

    assert web.ask(server.box.port("chat"), path, body=body).status == 200


def test_its_metrics_have_the_names_that_dashboards_use(server: Server) -> None:
    text = web.ask(server.box.port("chat"), "/metrics").text
    served = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    names = tomllib.loads(DATA.read_text("utf-8"))["metrics"]["names"].values()
    used = {name.partition("{")[0] for name in names}

    assert METRICS | used <= served
    # The label that tells two tiers apart.
    assert f'vllm:request_success_total{{engine="0",finished_reason="length",model_name="{SERVED_NAME}"}}' in text


def test_requests_under_way_are_answered_before_it_stops(server: Server) -> None:
    box, tokens = server.box, 60
    waited(box)  # after a first try it does not run
    stream = server.engine.chat.completions.create(
        model=SERVED_NAME, messages=QUESTION, max_tokens=tokens, stream=True, extra_body={"ignore_eos": True}
    )
    next(iter(stream))
    began = time.monotonic()
    stopping = subprocess.Popen(
        ["docker", "stop", box.name("chat")], env=dict(box.engine.environment), stdout=subprocess.DEVNULL
    )
    chunks = list(stream)
    assert stopping.wait(ANSWER_SECONDS) == 0

    assert chunks[-1].choices[0].finish_reason == "length"
    assert exit_code(box) == 0
    # Well below the minute after which Docker kills it.
    assert time.monotonic() - began < 50
