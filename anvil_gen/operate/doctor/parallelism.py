"""Checks that a model can be divided between its tier's GPUs, by what its configuration says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anvil_gen.host_paths import local_path
from anvil_gen.operate.doctor.check import Check, failed
from anvil_gen.operate.doctor.context import DoctorContext
from anvil_gen.operate.doctor.requirements import Requirements
from anvil_gen.resolve.model import Tier
from anvil_gen.resolve.model_source import kinds_of
from anvil_gen.resolve.parallel import parallel_values

_CONFIG = "config.json"


def check_parallelism(context: DoctorContext) -> Iterator[Check]:
    """Compare sizes of a tier's groups with the attention heads and layers of its model, where that is on this host."""
    if not context.docker_info.local:
        return
    for required in context.requirements:
        engine = context.catalog.engine(required.engine)
        if required.tier is None or engine is None or "tensor_parallel" not in engine.fields:
            continue
        sizes = parallel_values(required.tier.options, required.tier.gpu_request, engine, required.tier.nodes)
        tensor, pipeline = sizes["tensor_parallel"] or 1, sizes["pipeline_parallel"] or 1
        config = _config(context, required, required.tier, engine.hub_cache) if tensor > 1 or pipeline > 1 else {}
        heads, layers = _number(config, "num_attention_heads"), _number(config, "num_hidden_layers")
        if heads is not None and layers is not None:
            yield _judge(context, required.tier, (heads, tensor), (layers, pipeline))


def _judge(context: DoctorContext, tier: Tier, heads: tuple[int, int], layers: tuple[int, int]) -> Check:
    what, code = f"division of {tier.name}", "gpus-not-divisible"
    if heads[0] % heads[1]:
        detail = f"the model has {heads[0]} attention heads, which {heads[1]} GPUs cannot share evenly"
        key = "tensor_parallel" if tier.options.path_of("tensor_parallel") is not None else "gpus"
        remedy = "set tensor_parallel to a number that they can be divided by, and the rest by pipeline_parallel"
        return failed(what, code, detail, remedy, at=context.place(*tier.table, key))
    if layers[0] < layers[1]:
        detail = f"the model has {layers[0]} layers, too few for {layers[1]} stages"
        at = context.place(*tier.table, "pipeline_parallel")
        return failed(what, code, detail, f"set pipeline_parallel to {layers[0]} at most", at=at)
    shared = f"{heads[0]} attention heads over {heads[1]} GPUs" if heads[1] > 1 else ""
    staged = f"{layers[0]} layers in {layers[1]} stages" if layers[1] > 1 else ""
    return Check(what=what, found=", ".join(part for part in (shared, staged) if part))


def _config(context: DoctorContext, required: Requirements, tier: Tier, hub_cache: str) -> dict[str, Any]:
    """Return the configuration of a tier's model; nothing where it is not on this host, or is none."""
    for file in _config_files(context, required, tier, hub_cache):
        try:
            data = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError):  # what is wrong with the folder, the check of its files says
            continue
        if isinstance(data, dict):
            return data
    return {}


def _config_files(context: DoctorContext, required: Requirements, tier: Tier, hub_cache: str) -> Iterator[Path]:
    from_hub = "repo" in kinds_of(tier.options.model)
    for bind in required.binds:
        folder = local_path(bind.source, system=context.system, root=context.root)
        if folder is None:
            continue
        if bind.target == tier.model:
            yield folder / _CONFIG
        elif bind.target == hub_cache and from_hub:
            name = f"models--{tier.model.replace('/', '--')}"
            yield from sorted((folder / "hub" / name / "snapshots").glob(f"*/{_CONFIG}"))


def _number(config: dict[str, Any], key: str) -> int | None:
    """Return a number of a model's configuration; of a multimodal one, that of its language model."""
    text = config.get("text_config")
    value = config.get(key, text.get(key) if isinstance(text, dict) else None)
    return value if isinstance(value, int) else None
