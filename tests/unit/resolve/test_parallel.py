"""How a model is divided between GPUs: what the engine is told, and what does not come out even."""

from __future__ import annotations

import pytest
from contexts import context_of, server_of, step_compared
from inventories import UUID_A, UUID_B, Fault

from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.experiment import build_experiment
from anvil_gen.resolve.parallel import parallel_values

GPUS = f"""\
gpus.a = {{ uuid = "{UUID_A}", memory_mib = 24000, compute_capability = "8.6" }}
gpus.b = {{ uuid = "{UUID_B}", memory_mib = 24000, compute_capability = "8.6" }}
gpus.new = {{ uuid = "{UUID_B}", memory_mib = 32000, compute_capability = "12.0" }}
gpus.bare = {{ uuid = "{UUID_B}" }}
"""
VLLM, SGLANG = 'engine = "vllm"', 'engine = "sglang"'
# The next version deprecates what puts both groups on the same GPUs.
SGLANG_21 = f"{SGLANG}, image = 'lmsysorg/sglang:v0.5.21'"
SIZES = "parallel sizes do not fit"


def options_told(context: ResolveContext) -> None:
    server_of(context)


@pytest.mark.parametrize(
    ("tier", "values"),
    [
        (f"{VLLM}, gpus = ['a']", {}),
        (f"{VLLM}, gpus = ['a', 'b']", {"tensor_parallel": 2}),
        (f"{VLLM}, gpus = 4", {"tensor_parallel": 4}),
        (f"{VLLM}, gpus = 'all'", {}),
        (f"{VLLM}, gpus = 'all', tensor_parallel = 2", {"tensor_parallel": 2}),
        # Who writes one of the sizes writes all of them.
        (f"{VLLM}, gpus = 2, pipeline_parallel = 2", {"pipeline_parallel": 2}),
        (f"{VLLM}, gpus = 2, data_parallel = 2", {"data_parallel": 2}),
        (f"{VLLM}, gpus = 2, expert_parallel = true", {"tensor_parallel": 2, "expert_parallel": True}),
        (f"{VLLM}, gpus = 2, expert_parallel = false", {"tensor_parallel": 2}),
        (f"{SGLANG}, gpus = 4, expert_parallel = true", {"tensor_parallel": 4, "expert_parallel": 4}),
        (f"{SGLANG}, gpus = 4, expert_parallel = 2", {"tensor_parallel": 4, "expert_parallel": 2}),
        (
            f"{SGLANG}, gpus = 4, tensor_parallel = 2, data_parallel = 2, expert_parallel = true",
            {"tensor_parallel": 2, "data_parallel": 2, "expert_parallel": 2},
        ),
    ],
)
def test_what_an_engine_is_told(tier: str, values: dict[str, object]) -> None:
    context = context_of(f"{GPUS}tiers.one = {{ {tier} }}")
    server = server_of(context)
    assert server.engine is not None
    found = parallel_values(server.options, server.gpu_request, server.engine)

    assert {field: value for field, value in found.items() if value is not None} == values
    assert context.collector.diagnostics == ()


@pytest.mark.parametrize(
    ("tier", "expected"),
    [
        (
            f"{VLLM}, gpus = ['a', 'b'], tensor_parallel = 2, pipeline_parallel = ▸2",
            [(SIZES, "tiers.one.pipeline_parallel", "give it 4 GPUs, or write sizes whose product is 2")],
        ),
        (f"{VLLM}, gpus = ['a', 'b'], tensor_parallel = ▸1", [(SIZES, "tiers.one.tensor_parallel", "product is 2")]),
        (f"{VLLM}, gpus = 4, data_parallel = ▸2", [(SIZES, "tiers.one.data_parallel", "give it 2 GPUs")]),
        (f"{VLLM}, tensor_parallel = ▸2", [(SIZES, "tiers.one.tensor_parallel", "give it 2 GPUs")]),
        (f"{VLLM}, gpus = ['a'], tensor_parallel = 1", []),
        (f"{VLLM}, gpus = 'all', tensor_parallel = 2, pipeline_parallel = 2", []),
        # The other half is on another host.
        (f"{VLLM}, gpus = ['a'], tensor_parallel = 2, flags = {{ nnodes = 2, node-rank = 0 }}", []),
        (f"{SGLANG}, gpus = 4, tensor_parallel = 4, data_parallel = ▸2", [(SIZES, "tiers.one.data_parallel", "8")]),
        # Only the attention is copied, within the group.
        (
            f"{SGLANG_21}, gpus = 4, tensor_parallel = 4, data_parallel = 2, flags.enable-dp-attention = true",
            [],
        ),
        (
            f"{SGLANG_21}, gpus = 4, tensor_parallel = 4, data_parallel = ▸3, flags.enable-dp-attention = true",
            [(SIZES, "tiers.one.data_parallel", "tensor_parallel can be divided by")],
        ),
        (
            f"{SGLANG}, gpus = 4, expert_parallel = ▸3",
            [(SIZES, "tiers.one.expert_parallel", "or true for all of it")],
        ),
        (
            f"{SGLANG}, gpus = 'all', expert_parallel = ▸true",
            [(SIZES, "tiers.one.expert_parallel", "set tensor_parallel")],
        ),
        (
            f"{VLLM}, gpus = 4, expert_parallel = ▸4",
            [("not for this engine", "tiers.one.expert_parallel", "write expert_parallel = true")],
        ),
        (
            f"{VLLM}, gpus = ▸['a', 'new']",
            [("unlike GPUs", "tiers.one.gpus", "one kind")] * 2,
        ),
        (f"{VLLM}, gpus = ['a', 'bare']", []),
        ("engine = 'llamacpp', gpus = ['a', 'new']", []),
        *(
            (
                f"engine = 'llamacpp', gpus = ['a', 'b'], ▸{field} = 2",
                [("not for this engine", f"tiers.one.{field}", "remove it, or look for a flag")],
            )
            for field in ("tensor_parallel", "pipeline_parallel", "data_parallel", "expert_parallel")
        ),
        *(
            (
                f"{VLLM}, gpus = ['a', 'b'], flags.▸{flag} = 2",
                [("flag of a field", f"tiers.one.flags.{flag}", f'set "{field}" of tiers.one')],
            )
            for flag, field in (
                ("pipeline-parallel-size", "pipeline_parallel"),
                ("dp", "data_parallel"),
                ("enable_expert_parallel", "expert_parallel"),
                ("tp", "tensor_parallel"),
            )
        ),
        (f"{SGLANG}, flags.▸ep-size = 2", [("flag of a field", "tiers.one.flags.ep-size", '"expert_parallel"')]),
    ],
)
def test_what_does_not_fit(tier: str, expected: list[Fault]) -> None:
    marked = f"{GPUS}tiers.one = {{ {tier} }}"
    if len(expected) == 2:  # both at one place
        marked = marked.replace("▸", "▸▸")
    found, wanted = step_compared(marked, options_told, expected)

    assert found == wanted


def test_the_slot_has_no_such_fields() -> None:
    """Its one GPU is no group; flags of several hosts pass."""
    text = f"{GPUS}experiment = {{ {VLLM}, gpu = 'a', flags = {{ pipeline-parallel-size = 2, ▸tp = 2 }} }}"

    def told(context: ResolveContext) -> None:
        build_experiment(context, (), host="box")

    expected = [("flag of a field", "experiment.flags.tp", 'set "gpu" of experiment')]
    found, wanted = step_compared('hfcache.volume = "hub"\n' + text, told, expected)

    assert found == wanted
