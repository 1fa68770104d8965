"""What the real llama-server allocates for models of many shapes, beside what is computed for them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from e2e.materials import llama_server_folder, model_folder
from effort import EFFORT
from gguf_files import ProjectorShape, Shape, model, projector, random_shape
from llama_starts import MIB, Buffers, start, start_with_draft, start_with_projector
from memory_cases import rules_for
from msgspec import Struct
from msgspec.structs import replace

from anvil_gen.catalog.architectures import architectures
from anvil_gen.catalog.catalog import Catalog
from anvil_gen.fit.estimate import Case, Estimate, exactly
from anvil_gen.fit.extras import draft_extra
from anvil_gen.fit.facts_source import facts_of_path
from anvil_gen.fit.gguf_header import read_gguf
from anvil_gen.fit.ledger import estimate
from anvil_gen.fit.projector import projector_of
from anvil_gen.fit.settings import Draft, Request

SEED = 20
STARTS = 10 if EFFORT == 1 else 60
KNOWN = architectures(Catalog())
FLAGS = {"context": "-c", "parallel": "-np", "ubatch": "-ub", "kv_dtype": "-ctk", "kv_dtype_v": "-ctv"}
HOST_BYTES = 1 << 40
_ENGINE = Catalog().engine("llamacpp")
DRAFT_FLAGS = _ENGINE.field_flags["draft_model.file"] if _ENGINE is not None else {}


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


def flags_of(request: Request) -> list[str]:
    given: dict[str, Any] = {name: getattr(request, name) for name in FLAGS if getattr(request, name) is not None}
    flags = [word for name, value in given.items() for word in (FLAGS[name], str(value))]
    return [*flags, "-kvu"] if request.unified else flags


def started(server: Path, path: Path, request: Request) -> Start:
    measured = start(server, path, *flags_of(request))
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


@pytest.mark.parametrize(
    ("request_", "flags"),
    [
        (Request(context=8192), []),
        (Request(context=8000, parallel=3, ubatch=128), []),
        (Request(context=4096, kv_dtype="q8_0", kv_dtype_v="q8_0"), []),
        (
            Request(context=4096, parallel=2, draft=Draft(kv_dtype="q8_0", kv_dtype_v="q8_0")),
            ["-ctkd", "q8_0", "-ctvd", "q8_0"],
        ),
    ],
)
def test_a_draft_has_a_context_as_long_as_the_models(
    request_: Request, flags: list[str], server: Path, tmp_path: Path
) -> None:
    """In 16 bits unless its own type is set; it predicts tokens only with the flag that its field sets."""
    main = model(tmp_path / "main.gguf", Shape(layers=2, head_dim=64, vocabulary=4096, context=32768))
    small = model(tmp_path / "draft.gguf", Shape(layers=4, hidden=256, head_dim=64, vocabulary=4096, context=32768))
    measured, log = start_with_draft(
        server, main, small, *flags_of(request_), *flags, "--spec-type", DRAFT_FLAGS["spec-type"]
    )
    case = Case(
        facts=facts_of_path(main, KNOWN),
        request=request_,
        rules=replace(rules_for("llamacpp"), overhead_gib=exactly(0)),
        memory=HOST_BYTES,
        has_gpu=False,
    )
    found = draft_extra(case, facts_of_path(small, KNOWN)).size

    assert found.low / MIB - 0.1 <= measured.total <= found.high / MIB + 0.1
    assert abs((found.low + found.high) / 2 / MIB / measured.total - 1) <= 0.05
    assert "adding speculative implementation 'draft-simple'" in log


@pytest.mark.parametrize(
    ("shape", "flags", "width"),
    [
        (ProjectorShape(kind="gemma3", image=448, patch=14, hidden=512, intermediate=2048), [], 1.2),
        (ProjectorShape(kind="gemma3", image=224, patch=14), ["-fa", "off"], 1.8),
        (ProjectorShape(kind="idefics3", image=512, hidden=384, heads=6), [], 1.6),
        (ProjectorShape(kind="qwen3vl_merger", image=768), [], 2.5),
        (ProjectorShape(kind="pixtral", image=1540, patch=14, hidden=512, heads=8), [], 4.5),
    ],
)
def test_a_projector_and_its_buffer(
    shape: ProjectorShape, flags: list[str], width: float, server: Path, tmp_path: Path
) -> None:
    """The interval goes from the first picture to the largest."""
    main = model(tmp_path / "main.gguf", Shape())
    path = projector(tmp_path / "projector.gguf", shape)
    measured = start_with_projector(server, main, path, "-c", "512", *flags)
    found = projector_of(read_gguf(path), rules_for("llamacpp"), None)

    assert found is not None
    need = found.need(flash_attention=not flags)
    assert need.low <= measured * MIB <= need.high
    assert need.high <= width * measured * MIB
