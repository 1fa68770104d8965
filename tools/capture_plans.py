"""Ask vLLM's own planner how it lays the cache of generated models out, and write its answers for the tests.

    pip download vllm==0.25.0 --no-deps && unzip vllm-*.whl 'vllm/v1/*' 'vllm/utils/*' -d sources
    .venv/bin/python tools/capture_plans.py 0.25 --sources sources --write tests/unit/fit/plans

The planner runs from its source; torch, which it needs for the sizes of types alone, is stubbed.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
import types
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location, spec_from_loader
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import click

COUNT = 200
SEED = 23
SIZES = {"float16": 2, "bfloat16": 2, "float32": 4, "uint8": 1, "float8_e4m3fn": 1}
PATTERNS = ("F", "S", "SF", "SSSSSF", "LLLF", "LF", "M")
GIB = 1 << 30
PLANNING = ("kv_cache", "math_utils", "hisparse.layout")
"""Parts of the names of modules that the planner is made of."""


class Stub(types.ModuleType):
    """A module that has every name."""

    __path__: list[str] = []  # noqa: RUF012  that makes it a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock(name=name)


class Sources(MetaPathFinder, Loader):
    """Finds modules of vLLM in a folder of its sources, and has a stub for any other and for torch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        if name.partition(".")[0] not in ("vllm", "torch"):
            return None
        file = self._folder / f"{name.replace('.', '/')}.py"
        if file.is_file() and any(part in name for part in PLANNING):
            return spec_from_file_location(name, file)
        return spec_from_loader(name, self)

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        module = Stub(spec.name)
        if spec.name == "torch":
            module.__dict__.update({name: name for name in SIZES}, dtype=str, Tensor=object)
        if spec.name == "vllm.utils.torch_utils":
            module.__dict__.update(get_dtype_size=lambda dtype: SIZES[dtype])
        if spec.name == "vllm.v1.attention.backend":  # an alignment, of which no layer here has one
            module.__dict__.update(MultipleOf=type("MultipleOf", (), {}))
        return module

    def exec_module(self, _module: types.ModuleType) -> None:
        """Leave it as it is."""


def generated() -> list[dict[str, Any]]:
    """Return models and requests, the same in every run."""
    source = random.Random(SEED)
    pick = source.choice
    return [
        {
            "pattern": (pick(PATTERNS) * 62)[: pick([24, 30, 32, 36, 48, 62])],
            "tensor_parallel": pick([1, 1, 2, 4]),
            "kv_heads": pick([1, 2, 4, 8]),
            "sliding_kv_heads": pick([1, 2, 4, 8, 16]),
            "head_dim": pick([64, 128, 256]),
            "window": pick([128, 512, 1024, 4096]),
            "v_heads": pick([16, 32, 48]),
            "state_bytes": pick([2, 4]),
            "fp8": pick([True, False]),
            "context": pick([4096, 8192, 32768, 100_000, 131_072, 262_144]),
            "batched": pick([2048, 4096, 8192]),
            "speculative": pick([0, 0, 2]),
            "prefix_caching": pick([True, False]),
            "memory": source.randint(GIB, 60 * GIB),
        }
        for _ in range(COUNT)
    ]


def layer_specs(case: dict[str, Any], interface: Any) -> dict[str, Any]:
    """Return what the layers of a model keep, in the planner's own terms, on one of its GPUs."""
    gpus, dim, speculative = case["tensor_parallel"], case["head_dim"], case["speculative"]
    dtype = "float8_e4m3fn" if case["fp8"] else "bfloat16"
    heads, sliding = max(1, case["kv_heads"] // gpus), max(1, case["sliding_kv_heads"] // gpus)
    columns = (2 * 16 * 128 + case["v_heads"] * 128) // gpus
    matrix = (case["v_heads"] // gpus, 128, 128)
    state = columns * (3 + speculative) * 2 + matrix[0] * 128 * 128 * case["state_bytes"]
    token = 2 * heads * dim * SIZES[dtype]
    block = 16 * -(-state // (16 * token)) if "L" in case["pattern"] else 16
    kinds = {
        "F": lambda: interface.FullAttentionSpec(block_size=block, num_kv_heads=heads, head_size=dim, dtype=dtype),
        "M": lambda: interface.MLAAttentionSpec(block_size=block, num_kv_heads=1, head_size=576, dtype=dtype),
        "S": lambda: interface.SlidingWindowSpec(
            block_size=block, num_kv_heads=sliding, head_size=dim, dtype=dtype, sliding_window=case["window"]
        ),
        "L": lambda: interface.MambaSpec(
            block_size=block,
            shapes=((columns, 3 + speculative), matrix),
            dtypes=("bfloat16", "float32" if case["state_bytes"] == 4 else "bfloat16"),
            page_size_padded=block * token,
            num_speculative_blocks=speculative,
        ),
    }
    # What predicts tokens ahead is a layer of the model's own attention.
    own = "M" if "M" in case["pattern"] else "F"
    layers = case["pattern"] + (own if speculative else "")
    return {f"layers.{at}": kinds[kind]() for at, kind in enumerate(layers)}


def plan(case: dict[str, Any], interface: Any, planner: Any, utils: Any) -> dict[str, Any]:
    """Return a case with the blocks and requests that the planner answers; null where it refuses the model."""
    config = MagicMock()
    config.model_config.max_model_len = case["context"]
    config.scheduler_config.max_num_batched_tokens = case["batched"]
    config.max_in_flight_tokens = 2 * case["batched"]  # with asynchronous scheduling, its default
    config.scheduler_config.disable_hybrid_kv_cache_manager = False
    config.parallel_config.decode_context_parallel_size = config.parallel_config.prefill_context_parallel_size = 1
    config.cache_config.mamba_cache_mode = "align" if case["prefix_caching"] else "none"
    config.cache_config.num_gpu_blocks_override = config.kv_transfer_config = None
    config.attention_config.hisparse_config = config.speculative_config = None
    config.cache_config.get_resolved_kv_cache_layout.return_value = layer_outermost()
    try:
        groups = planner.get_kv_cache_groups(config, layer_specs(case, interface))
    except NotImplementedError:
        return {**case, "blocks": None, "requests": None}
    answer = planner.get_kv_cache_config_from_groups(config, groups, case["memory"])
    requests = utils.get_max_concurrency_for_kv_cache_config(config, answer)
    return {**case, "blocks": answer.num_blocks, "requests": requests}


def layer_outermost() -> Any:
    """Return the layout of most attention backends; None before versions know of layouts."""
    layouts = importlib.import_module("vllm.v1.kv_cache_layout")
    return layouts.KVCacheLayout["LBNHC"] if "KVCacheLayout" in vars(layouts) else None


@click.command()
@click.argument("version")
@click.option("--sources", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--write", type=click.Path(path_type=Path), required=True)
def main(version: str, sources: Path, write: Path) -> None:
    """Write the plans of a version."""
    sys.meta_path.insert(0, Sources(sources))
    interface = importlib.import_module("vllm.v1.kv_cache_interface")
    utils = importlib.import_module("vllm.v1.core.kv_cache_utils")
    planning = importlib.import_module("vllm.v1.core.kv_cache_planning")
    planner = planning if "get_kv_cache_groups" in vars(planning) else utils  # its place until 0.32
    lines = [json.dumps(plan(case, interface, planner, utils)) for case in generated()]
    write.mkdir(parents=True, exist_ok=True)
    (write / f"{version}.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
