"""The demo machine with a real model: what is rendered comes up, and answers through the router."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator

import openai
import pytest

from e2e import web
from e2e.box import Box
from e2e.conftest import new_box
from e2e.engine import Engine
from e2e.patience import until
from e2e.test_router_changes import spoken

KEY = "a key of the test"
QUESTION = "Name a colour."


@pytest.fixture(scope="module")
def demo(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """Bring the demo machine up, once for all tests here."""
    with new_box(engine, tmp_path_factory.mktemp("demo")) as box:
        box.environment["ANVIL_ROUTER_TOKEN"] = KEY
        inventory = box.adapted("cpu-demo")
        # By chance, a model this small also answers with nothing at all.
        inventory["tiers"]["small"]["flags"] = {"temp": 0}
        box.render(inventory)
        box.anvil_gen("up", "box", "--wait")
        spoken(box, "chat", KEY)
        yield box


def client(box: Box, key: str = KEY) -> openai.OpenAI:
    """Return the official client, pointed at the box's router."""
    direct = openai.DefaultHttpxClient(trust_env=False)
    return openai.OpenAI(
        base_url=f"http://127.0.0.1:{box.port('router')}/v1", api_key=key, max_retries=0, http_client=direct
    )


@pytest.mark.parametrize("model", ["chat", "smollm2-135m-instruct"])
def test_the_model_answers_through_the_router(demo: Box, model: str) -> None:
    answer = client(demo).chat.completions.create(
        model=model, messages=[{"role": "user", "content": QUESTION}], max_tokens=16
    )

    assert answer.usage is not None
    assert 1 <= answer.usage.completion_tokens <= 16
    assert (answer.choices[0].message.content or "").strip()


def test_the_answer_comes_as_a_stream(demo: Box) -> None:
    stream = client(demo).chat.completions.create(
        model="chat", messages=[{"role": "user", "content": QUESTION}], max_tokens=16, stream=True
    )
    words = [chunk.choices[0].delta.content for chunk in stream if chunk.choices and chunk.choices[0].delta.content]

    assert len(words) > 1
    assert "".join(words).strip()


def test_a_wrong_key_is_refused(demo: Box) -> None:
    with pytest.raises(openai.AuthenticationError) as caught:
        client(demo, "another key").models.list()

    assert caught.value.status_code == 401


def test_an_unknown_model_is_refused_as_such(demo: Box) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client(demo).chat.completions.create(model="no-such-model", messages=[{"role": "user", "content": QUESTION}])

    assert caught.value.status_code == 404
    assert isinstance(caught.value.body, dict)
    assert "smollm2-135m-instruct" in caught.value.body["models"]


def test_the_router_lists_what_it_serves(demo: Box) -> None:
    assert {"chat", "smollm2-135m-instruct"} <= {model.id for model in client(demo).models.list()}


def test_the_engine_lists_the_served_name(demo: Box) -> None:
    answer = web.ask(demo.port("small"), "/v1/models")

    assert answer.status == 200
    assert "smollm2-135m-instruct" in answer.text


def test_status_tells_what_the_engine_serves(demo: Box) -> None:
    """An engine that is busy may answer too late to be asked for its models, and a check of its health may fail."""

    def told() -> tuple[bool, str, str]:
        rows = json.loads(demo.anvil_gen("status", "box", "--json").stdout)["services"]
        small, router = ({row["service"]: row for row in rows}[name] for name in ("small", "router"))
        return "smollm2-135m-instruct" in small["models"], small["health"], router["health"]

    until(told, lambda found: found == (True, "healthy", "healthy"))


def test_bench_measures_the_tier_through_the_router(demo: Box) -> None:
    with demo.start("bench", "box", "small", "--at-once", "1", "--json") as process:
        printed, errors = process.communicate(timeout=600)  # two real answers, on whatever processor
    assert process.returncode == 0, errors
    measured = json.loads(printed)
    kept = (demo.folder / "hosts" / "box.bench.jsonl").read_text("utf-8")

    (level,) = measured["levels"]
    assert (level["at_once"], level["errors"], measured["last"]) == (1, 0, None)
    assert level["first_token"] > 0
    assert level["tokens_per_second"] > 0
    assert json.loads(kept)["model"] == "smollm2-135m-instruct"
    assert KEY not in kept


def paste(demo: Box, kind: str, *command: str) -> str:
    """Return what a program prints that runs what `client` says."""
    (demo.folder / "pasted").write_text(demo.anvil_gen("client", "box", kind).stdout, "utf-8")
    return demo.engine.run(*command, str(demo.folder / "pasted"), env=demo.environment).stdout


def test_the_openai_program_that_client_prints_runs(demo: Box) -> None:
    assert paste(demo, "openai", sys.executable).strip()


def test_the_curl_line_that_client_prints_runs(demo: Box) -> None:
    answer = json.loads(paste(demo, "curl", "sh"))

    assert answer["choices"][0]["message"]["content"].strip()


def test_the_variables_that_client_prints_are_enough_for_a_client(demo: Box) -> None:
    program = "import openai; print([model.id for model in openai.OpenAI().models.list()])"
    line = f'. "$1"; exec {shlex.quote(sys.executable)} -c {shlex.quote(program)}'

    assert "smollm2-135m-instruct" in paste(demo, "env", "sh", "-euc", line, "sh")


def test_a_client_without_the_key_is_refused(demo: Box) -> None:
    (demo.folder / "pasted").write_text(demo.anvil_gen("client", "box", "curl").stdout, "utf-8")
    done = demo.engine.run("sh", str(demo.folder / "pasted"), env={"ANVIL_ROUTER_TOKEN": "wrong"}, check=False)

    assert done.code == 22
    assert KEY not in done.stdout + done.stderr
