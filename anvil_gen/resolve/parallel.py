"""How an engine divides a model between GPUs: the sizes of the groups, and whether they come out even."""

from math import prod
from typing import Any

from anvil_gen.catalog.engine import Engine
from anvil_gen.resolve.context import AnyServer, ResolveContext
from anvil_gen.resolve.gpu_model import GpuRequest
from anvil_gen.resolve.options import ServerOptions
from anvil_gen.resolve.server_gpus import gpus_have_errors
from anvil_gen.values import KeyPath, VariableValue, canonical_flag

SIZES = ("tensor_parallel", "pipeline_parallel", "data_parallel")
"""Fields whose product is the number of GPUs."""
PARALLEL_FIELDS = (*SIZES, "expert_parallel")


def parallel_values(
    options: ServerOptions, request: GpuRequest | None, engine: Engine, nodes: int = 1
) -> dict[str, Any]:
    """Return what an engine is told of its groups, by field; without a size, all GPUs are one tensor-parallel group.

    ``nodes`` hosts have as many GPUs each.
    """
    sizes = {name: options.get(name) for name in SIZES}
    number = request.number if request is not None else None
    if number is not None and nodes > 1:
        number *= nodes
    if number is not None and (number > 1 or isinstance(number, VariableValue)) and not any(sizes.values()):
        sizes["tensor_parallel"] = number
    expert = options.get("expert_parallel")
    if expert is True and engine.parallel.expert == "size":
        expert = sizes["tensor_parallel"] or 1
    return {**sizes, "expert_parallel": expert or None}


def check_parallel(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Report sizes that do not come out even, and GPUs that are too different for equal parts."""
    if "tensor_parallel" in engine.fields:
        _check_product(context, server, engine)
        _check_experts(context, server, engine)
        _check_alike(context, server, engine)


def _flags(server: AnyServer) -> set[str]:
    return {canonical_flag(name) for name, value in server.options.flags.items() if value is not False}


def _check_product(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    options, flags = server.options, _flags(server)
    inside = not flags.isdisjoint(engine.parallel.data_inside)
    sizes = {name: options.get(name) for name in SIZES if options.get(name) is not None}
    multiplied = {name: size for name, size in sizes.items() if name != "data_parallel" or not inside}
    held = server.gpu_request.number if server.gpu_request is not None else 0
    held = held * server.nodes if held else held
    is_known = flags.isdisjoint(engine.parallel.elsewhere) and not gpus_have_errors(context, server)
    if multiplied and held is not None and is_known:
        product = prod(multiplied.values())
        if product != (held or 1):  # without a GPU the processor is one
            terms = " x ".join(f"{name} {size}" for name, size in multiplied.items())
            total = f" = {product}" if len(multiplied) > 1 else ""
            detail = f"{terms}{total} needs {_gpus(product)}, and it holds {_gpus(held)}"
            remedy = f"give it {_gpus(product)}, or write sizes whose product is {held or 1}"
            context.collector.add("parallel-sizes-do-not-fit", _place(server, [*multiplied][-1]), detail, remedy)
    data, tensor = sizes.get("data_parallel"), sizes.get("tensor_parallel", 1)
    if inside and data is not None and tensor % data:
        detail = f"{data} copies cannot be made of tensor_parallel {tensor}"
        remedy = "write a number that tensor_parallel can be divided by"
        context.collector.add("parallel-sizes-do-not-fit", _place(server, "data_parallel"), detail, remedy)


def _check_experts(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    written = server.options.get("expert_parallel")
    tensor = parallel_values(server.options, server.gpu_request, engine, server.nodes)["tensor_parallel"]
    if isinstance(written, bool) or written is None:
        is_unknown = server.gpu_request is not None and server.gpu_request.number is None
        if written and engine.parallel.expert == "size" and tensor is None and is_unknown:
            detail, remedy = "the number of GPUs is not known", "set tensor_parallel"
            context.collector.add("parallel-sizes-do-not-fit", _place(server, "expert_parallel"), detail, remedy)
    elif engine.parallel.expert == "flag":
        detail = f"{engine.title} divides the experts over all GPUs that it has for them, and takes no number"
        context.collector.add(
            "not-for-this-engine", _place(server, "expert_parallel"), detail, "write expert_parallel = true"
        )
    elif (tensor or 1) % written:
        detail = f"tensor_parallel {tensor or 1} cannot be divided by {written}"
        remedy = "write a number that it can be divided by, or true for all of it"
        context.collector.add("parallel-sizes-do-not-fit", _place(server, "expert_parallel"), detail, remedy)


def _check_alike(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Warn of GPUs in one group that differ: each gets an equal part, as the smallest and oldest can take it."""
    for key, unit in (("memory_mib", " MiB"), ("compute_capability", "")):
        known = {gpu.name: getattr(gpu, key) for gpu in server.gpus if getattr(gpu, key) is not None}
        if len(set(known.values())) > 1:
            differing = ", ".join(f'"{name}" {value}{unit}' for name, value in known.items())
            detail = f"{key} of {differing}: {engine.title} gives each an equal part, so the least of them counts"
            path = (*server.path, server.options.gpus_key)
            context.collector.add("unlike-gpus", path, detail, "take GPUs of one kind", severity="warning")


def _place(server: AnyServer, field: str) -> KeyPath:
    return server.options.path_of(field) or server.path


def _gpus(number: int) -> str:
    return f"{number or 'no'} GPU{'' if number == 1 else 's'}"
