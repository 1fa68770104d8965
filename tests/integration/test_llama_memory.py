"""What the real llama-server allocates for models of many shapes, beside what is computed for them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from e2e.materials import llama_server_folder, model_folder
from effort import EFFORT
from gguf_files import model, random_shape
from llama_starts import MIB, Buffers, start
from memory_cases import rules_for
from msgspec import Struct

from anvil_gen.catalog.architectures import architectures
from anvil_gen.catalog.catalog import Catalog
from anvil_gen.fit.estimate import Case, Estimate
from anvil_gen.fit.facts_source import facts_of_path
from anvil_gen.fit.ledger import estimate
from anvil_gen.fit.settings import Request

SEED = 20
STARTS = 10 if EFFORT == 1 else 60
KNOWN = architectures(Catalog())
FLAGS = {"context": "-c", "parallel": "-np", "ubatch": "-ub", "kv_dtype": "-ctk", "kv_dtype_v": "-ctv"}
HOST_BYTES = 1 << 40


class Start(Struct, frozen=True, kw_only=True):
    """A start: how it was asked for, what it took, and what is computed."""

    request: Request
    measured: Buffers
    computed: Estimate

    @property
    def cache_error(self) -> float:
        """MiB by which the cache differs; the log has two decimals for each layer of a kind."""
        return abs(self.computed.kv.low / MIB - self.measured.cache)

    @property
    def error(self) -> float:
        """The part by which the whole differs from the middle of the interval."""
        middle = (self.computed.total.low + self.computed.total.high) / 2 / MIB
        return abs(middle / self.measured.total - 1)


@pytest.fixture(scope="module")
def server() -> Path:
    return llama_server_folder() / "llama-server"


def started(server: Path, path: Path, request: Request) -> Start:
    given: dict[str, Any] = {name: getattr(request, name) for name in FLAGS if getattr(request, name) is not None}
    flags = [word for name, value in given.items() for word in (FLAGS[name], str(value))]
    measured = start(server, path, *flags, *(["-kvu"] if request.unified else []))
    case = Case(
        facts=facts_of_path(path, KNOWN),
        request=request,
        rules=rules_for("llamacpp"),
        memory=HOST_BYTES,
        has_gpu=False,
    )
    return Start(request=request, measured=measured, computed=estimate(case))


def random_request(source: random.Random) -> Request:
    dtype = source.choice([None, "q8_0", "q4_0"])
    return Request(
        context=source.choice([1000, 4096, 8192, 20000]),
        parallel=source.choice([None, 1, 2, 4]),
        ubatch=source.choice([None, 128, 1024]),
        kv_dtype=dtype,
        kv_dtype_v=dtype,
        unified=source.choice([None, True]),
    )


def test_starts_of_many_shapes(server: Path, tmp_path: Path) -> None:
    source = random.Random(SEED)
    starts = []
    for _ in range(STARTS):
        path = model(tmp_path / "model.gguf", random_shape(source))
        starts.append(started(server, path, random_request(source)))

    assert [one for one in starts if one.cache_error > 0.02] == []
    assert [one for one in starts if abs(one.computed.weights.low / MIB - one.measured.model) > 0.05] == []
    assert sum(one.error <= 0.05 for one in starts) >= 0.95 * len(starts)


def test_a_start_of_a_real_model(server: Path) -> None:
    path = next(model_folder().glob("*.gguf"))
    found = started(server, path, Request(context=4096, parallel=2))

    assert found.cache_error <= 0.02
    assert found.error <= 0.05
