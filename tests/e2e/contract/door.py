"""A box with strict stub tiers behind one router, and a client of it that sees every byte."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import time
from collections.abc import Generator, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.router import RouterKind
from e2e import patience, web
from e2e.box import SOON_AND_PATIENT, Box

STUB = Path(__file__).with_name("stub_tier.py")
IMAGE = "anvil-gen-test/debian"
KEYS = {"laptop": ("CONTRACT_KEY", "key of the laptop"), "server": ("CONTRACT_KEY_2", 'k,"2),${X} \\n, é')}
KEY = KEYS["laptop"][1]
DIGEST_KEYS = {"phone": "key of the phone", "pad": 'p,"2),${X} \\n, é'}
"""Clients by the digest, which alone stands in the inventory."""
SECONDS = 120
"""What an answer may take on a busy machine."""

STRANGE = "'${x}%[path]\\\\{{x}}" + "y" * 200
"""A name that means something to most programs it passes through."""

# Tier -> its task, its aliases, and the tiers that answer in its place.
TIERS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "heavy": ("chat", ("coder", "org/heavy:q4", 'a"b', STRANGE), ("fast",)),
    "fast": ("chat", ("talk",), ()),
    "embed": ("embedding", ("vectors",), ()),
    "judge": ("rerank", ("order",), ()),
    "ear": ("transcription", ("listen",), ()),
    "mouth": ("speech", ("say",), ()),
    "lens": ("chat", ("scholar",), ()),
}
ADAPTER = "poet"
CONTEXT_LENGTH = 4096
# Tiers that an engine's own data describes; the program is the same stub.
ENGINES: dict[str, dict[str, Any]] = {
    "embed": {"engine": "tei", "model": False},
    "ear": {"engine": "vllm", "model": False},
    "lens": {
        "engine": "vllm",
        "model": False,
        "context_length": CONTEXT_LENGTH,
        "lora": {ADAPTER: {"path": str(STUB.parent)}},
    },
}
ORIGIN = "https://chat.example.org"
WISHES: dict[str, dict[str, Any]] = {
    "timeout": {"timeout": "5s"},
    "tier_timeout": {"tiers": {"fast": {"timeout": "2s"}}},
    "concurrency": {"tiers": {"embed": {"concurrency": 2}}},
    "body_limit": {"body_limit": "24m"},
    "default_tier": {"default_tier": "fast"},
    "fallbacks": {"fallbacks": {"heavy": ["fast"]}},
    "cors": {"cors": [ORIGIN]},
    "paths": {"paths": {"/v1/images/generations": "heavy", "/v1/images/edits": "heavy"}},
}


class Reply(NamedTuple):
    """An answer, and how long it took in seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        """The body as data; None where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class Door:
    """One router in front of the stubs."""

    def __init__(self, box: Box, name: str) -> None:
        """Write the inventory of a box whose router is the one of this name."""
        kind = Catalog().router(name)
        assert kind is not None
        self.box, self.name, self.kind = box, name, kind
        self.inventory = inventory(box, name, kind)
        box.environment.update(dict(KEYS.values()))

    @property
    def port(self) -> int:
        return self.box.port("router")

    def up(self, *services: str) -> None:
        """Render what the inventory says by now, and bring it up."""
        (self.box.folder / "hosts").mkdir(exist_ok=True)
        shutil.copy(STUB, self.box.folder / "hosts" / STUB.name)
        self.box.render(self.inventory)
        self.box.compose("up", "--detach", "--wait", *services)

    def ask(
        self,
        path: str,
        body: Any = None,
        *,
        key: str | None = KEY,
        headers: Mapping[str, str | bytes] | None = None,
        method: str | None = None,
        port: int | None = None,
    ) -> Reply:
        """Send a request; a body that is no bytes goes as JSON. Without one it is a GET."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {key}"} if key is not None else {}
        sent |= {"Content-Type": "application/json"} if data is not None else {}
        began = time.monotonic()
        with self.connected(port) as connection:
            verb = method or ("GET" if data is None else "POST")
            connection.request(verb, path, data, {**sent, **(headers or {})})
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, named, answer.read(), time.monotonic() - began)

    @contextlib.contextmanager
    def connected(self, port: int | None = None) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=SECONDS)
        try:
            yield connection
        finally:
            connection.close()

    def chat(self, model: str | None, *, how: Any = None, **fields: Any) -> Reply:
        """Ask a model for an answer; ``how`` tells the stub what it shall be like."""
        return self.ask("/v1/chat/completions", question(model, how, **fields))

    def stream(self, model: str, how: Any, **fields: Any) -> Generator[tuple[float, Any], None, None]:
        """Ask for a stream, and yield the time at which each event came, with its data."""
        data = json.dumps(question(model, how, stream=True, **fields)).encode()
        with self.connected() as connection:
            sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
            connection.request("POST", "/v1/chat/completions", data, sent)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            for line in answer:
                if line.startswith(b"data: ") and b"[DONE]" not in line:
                    yield time.time(), json.loads(line[6:])

    def seen(self, tier: str) -> list[Any]:
        """Return what a tier was sent since it was asked last."""
        answer = web.ask(self.box.port(tier), "/_seen")
        seen: list[Any] = json.loads(answer.text)["seen"]
        return seen

    def kept(self, tier: str) -> list[Any]:
        """Return the same, and leave it there for the next who asks."""
        kept: list[Any] = json.loads(web.ask(self.box.port(tier), "/_kept").text)["seen"]
        return kept

    def forget(self) -> None:
        """Make all tiers forget what they were sent."""
        for tier in TIERS:
            self.seen(tier)

    @contextlib.contextmanager
    def mode(self, tier: str, mode: str) -> Iterator[None]:
        """Let a tier behave in another way for a while."""
        web.ask(self.box.port(tier), "/_mode", body={"mode": mode})
        try:
            yield
        finally:
            web.ask(self.box.port(tier), "/_mode", body={"mode": "ok"})

    @contextlib.contextmanager
    def stopped(self, tier: str) -> Iterator[None]:
        """Have a tier down for a while."""
        self.box.engine.docker("kill", self.box.name(tier))
        try:
            yield
        finally:
            self.box.compose("up", "--detach", "--wait", tier)
            self.wait_for(tier)

    def wait_for(self, tier: str, seconds: float = patience.SECONDS) -> float:
        """Wait until a tier answers through the router; return how long that took."""
        began = time.monotonic()
        while self.chat(served(tier)).status != 200:
            assert time.monotonic() < began + seconds, f"{tier} is not back after {seconds} s"
            time.sleep(0.05)
        return time.monotonic() - began

    def logs(self) -> str:
        """Return all that the router has printed."""
        done = self.box.engine.run("docker", "logs", self.box.name("router"))
        return done.stdout + done.stderr


def served(tier: str) -> str:
    """Return a tier's served name."""
    return f"{tier}-model"


def question(model: str | None, how: Any = None, **fields: Any) -> dict[str, Any]:
    """Return a chat request."""
    named = {} if model is None else {"model": model}
    return {**named, "messages": [{"role": "user", "content": json.dumps(how) if how else "hello"}], **fields}


def inventory(box: Box, router: str, kind: RouterKind) -> dict[str, Any]:
    """Return an inventory with all tiers, and every wish that the router claims to fulfil."""
    tasks = {name: tier for name, tier in TIERS.items() if tier[0] in kind.tasks}
    aliases = {alias: name for name, (task, names, _) in tasks.items() for alias in names if task in kind.alias_tasks}
    table: dict[str, Any] = {
        "kind": router,
        "container_name": box.name("router"),
        "port": box.port("router"),
        "aliases": aliases,
        "api_key_env": {client: variable for client, (variable, _) in KEYS.items()},
        "override": {"healthcheck": SOON_AND_PATIENT},
    }
    if "clients" not in kind.supports:
        table["api_key_env"] = KEYS["laptop"][0]
    if "api_key_sha256" in kind.supports:
        # HAProxy's own digests are in upper case, most programs' in lower.
        digests = {client: sha256(key.encode()).hexdigest() for client, key in DIGEST_KEYS.items()}
        table["api_key_sha256"] = {**digests, "pad": digests["pad"].upper()}
    for wish, keys in WISHES.items():
        if wish in kind.supports:
            table = {**table, **keys, "tiers": {**table.get("tiers", {}), **keys.get("tiers", {})}}
    if "metrics_port" in kind.supports:
        table["metrics"] = box.port("metrics")
    return {
        "schema": 1,
        "host": {"project": box.project},
        "tiers": {name: _tier(box, name, kind) for name in TIERS},
        "router": {key: value for key, value in table.items() if value != {}},
    }


def _tier(box: Box, name: str, kind: RouterKind) -> dict[str, Any]:
    task, aliases, _ = TIERS[name]
    names = [served(name), *aliases]
    names += [alias for other, (_, more, to) in TIERS.items() if name in to for alias in (served(other), *more)]
    port = box.port(name)
    told = names[:1] if "rewrite" in kind.supports else names
    check = f"exec 3<>/dev/tcp/127.0.0.1/{port}"
    program = ["python3", "-u", "/stub_tier.py", str(port), *told]
    if name in ENGINES:
        adapters = list(ENGINES[name].get("lora", ()))
        own = {**ENGINES[name], "entrypoint": [*program, *adapters], "caches": False}
    else:
        own = {"engine": "custom", "command": program}
    return {
        **own,
        "image": IMAGE,
        "task": task,
        "served_name": served(name),
        "container_name": box.name(name),
        "port": port,
        "stop_grace_period": "1s",
        "files": {"/stub_tier.py": STUB.name},
        "healthcheck": {"test": ["CMD", "bash", "-c", check], **SOON_AND_PATIENT},
    }
