"""What a tier asks of its engine, as far as memory depends on it: from its fields, flags and variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anvil_gen.catalog.engine import Engine
from anvil_gen.catalog.engine_memory import EngineMemory, Setting
from anvil_gen.fit.settings import Draft, Request
from anvil_gen.resolve.model import Tier
from anvil_gen.resolve.parallel import parallel_values
from anvil_gen.values import canonical_flag

_OFF = ("off", "false", "0", "disabled")


def tier_request(tier: Tier, engine: Engine, rules: EngineMemory) -> Request:
    """Return what a tier asks for."""
    options, sizes = tier.options, parallel_values(tier.options, tier.gpu_request, engine, tier.nodes)
    given = _Given(tier, rules)
    number = tier.gpu_request.number if tier.gpu_request is not None else None
    gpus = number * tier.nodes if number else number
    divides = "tensor_parallel" in engine.fields
    expert = sizes["expert_parallel"]
    return Request(
        fraction=None if tier.share is None else float(tier.share),
        context=options.context_length or given.number("context"),
        max_sequences=options.max_sequences or given.number("max_sequences"),
        max_batched_tokens=given.number("max_batched_tokens"),
        kv_dtype=options.kv_cache_dtype or given.text("kv_dtype"),
        kv_dtype_v=given.text("kv_dtype_v"),
        tensor_parallel=int((sizes["tensor_parallel"] if divides else gpus) or 1),
        pipeline_parallel=int(sizes["pipeline_parallel"] or 1),
        expert_parallel=expert if isinstance(expert, int) and not isinstance(expert, bool) else 1,
        prefix_caching=_first(_negated(given.switch("no_prefix_caching")), given.switch("prefix_caching")),
        speculative_tokens=given.number("speculative_tokens") or 0,
        state_dtype=given.text("state_dtype"),
        block=given.number("block"),
        batch=given.number("batch"),
        ubatch=given.number("ubatch"),
        n_gpu_layers=given.number("n_gpu_layers"),
        flash_attention=given.switch("flash_attention") is not False,
        unified=given.switch("unified"),
        full_window=given.switch("full_window") is True,
        language_only=given.switch("language_only") is True or options.mmproj is not None,
        picture_tokens=given.number("picture_tokens"),
        draft=Draft(
            kv_dtype=given.text("draft_kv_dtype"),
            kv_dtype_v=given.text("draft_kv_dtype_v"),
            n_gpu_layers=given.number("draft_n_gpu_layers"),
        ),
        layout=given.text("layout"),
    )


class _Given:
    """What a tier's flags and variables say of the settings that have no field."""

    def __init__(self, tier: Tier, rules: EngineMemory) -> None:
        flags = {canonical_flag(name): value for name, value in tier.options.flags.items()}
        self._values: Mapping[str, Any] = {**tier.options.environment, **flags}
        self._names = rules.settings

    def _value(self, setting: Setting) -> Any:
        """Return the value of a setting; behind a dot, that of a key of a flag that is a table."""
        for name in self._names.get(setting, ()):
            flag, _, key = name.partition(".")
            value = self._values.get(flag)
            if key:
                value = value.get(key) if isinstance(value, Mapping) else None
            if value is not None:
                return value
        return None

    def number(self, setting: Setting) -> int | None:
        value = self._value(setting)
        text = str(value).strip()
        return int(text) if value is not True and value is not False and text.isdecimal() else None

    def text(self, setting: Setting) -> str | None:
        value = self._value(setting)
        return value if isinstance(value, str) else None

    def switch(self, setting: Setting) -> bool | None:
        value = self._value(setting)
        return None if value is None else value is not False and str(value).lower() not in _OFF


def _negated(value: bool | None) -> bool | None:
    return None if value is None else not value


def _first(*values: bool | None) -> bool | None:
    return next((value for value in values if value is not None), None)
