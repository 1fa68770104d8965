"""Whether models fit: a table of tiers, a bar for each GPU; and the same numbers as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from anvil_gen.catalog.engine_memory import Interval
from anvil_gen.cli.views.json_output import print_json
from anvil_gen.fit.estimate import Case, Estimate, Verdict
from anvil_gen.fit.host_fit import GpuFit, HostFit, TierFit
from anvil_gen.fit.settings import GIB

_COLOURS = {"fits": "green", "unsure": "yellow", "does not fit": "red"}
_BAR = 40
_CERTAIN, _MAYBE, _RESERVED, _FREE, _BEYOND = "█", "▒", "░", "·", "!"


def show_case(model: str, engine: str, version: str | None, case: Case, result: Estimate, *, as_json: bool) -> None:
    """Print one model on one kind of GPU."""
    if as_json:
        print_json(model=model, engine=engine, engine_version=version, **estimate_json(result))
        return
    click.echo(f"{case.facts.architecture}, {len(case.facts.pattern)} layers: {case.facts.layers}\n")
    _print_table(list(_lines(result)))
    click.echo(f"\n{coloured(result.verdict)}")
    for reason in result.reasons:
        click.echo(f"  {reason}")


def show_host(result: HostFit, *, as_json: bool) -> None:
    """Print the tiers of a host and its GPUs."""
    if as_json:
        print_json(**host_json(result))
        return
    for tier in result.tiers:
        _show_tier(tier)
    last = ""
    for gpu in result.gpus:
        if gpu.gpu != last:
            click.echo(click.style(f"{gpu.gpu}  {_size(gpu.memory)}", bold=True))
        last = gpu.gpu
        _show_gpu(gpu)
    click.echo(f"\n{result.host}: {coloured(result.verdict)}")


def host_json(result: HostFit) -> dict[str, Any]:
    """Return what the tiers of a host take, for programs."""
    return {
        "host": result.host,
        "verdict": result.verdict,
        "tiers": [_tier_json(one) for one in result.tiers],
        "gpus": [_gpu_json(one) for one in result.gpus],
    }


def _show_tier(tier: TierFit) -> None:
    on = f" on {', '.join(tier.gpus)}" if tier.gpus else ""
    click.echo(f"{click.style(tier.tier, bold=True)}  {coloured(tier.verdict)}  {tier.model} ({tier.engine}{on})")
    if tier.estimate is not None:
        _print_table(list(_lines(tier.estimate)))
    for reason in tier.reasons:
        click.echo(f"  {reason}")
    click.echo()


def _lines(result: Estimate) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of a model, each with its name."""
    yield "weights", interval_text(_weights(result), _size) if result.weights.expected is not None else "?"
    yield "overhead", interval_text(result.overhead, _size)
    yield "KV cache", interval_text(result.kv, _size)
    if result.bytes_per_token:
        yield "per token", f"{result.bytes_per_token / 1024:,.1f} KiB"
    if result.tokens is not None and result.tokens.high:
        yield "tokens", interval_text(result.tokens, count)
    if result.concurrency is not None and result.context and result.concurrency.high:
        yield f"requests of {result.context:,}", interval_text(result.concurrency, lambda number: f"{number:,.2f}")
    if result.max_context is not None:
        yield "longest context", interval_text(result.max_context, count)
    if result.host.high:
        yield "host's memory", interval_text(result.host, _size)


def _print_table(lines: Sequence[tuple[str, str]]) -> None:
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"  {name:{width}}  {value}")


def fit_cells(tier: TierFit) -> tuple[str, ...]:
    """Return a tier in short: weights, cache, requests of its context, longest context."""
    result = tier.estimate
    if result is None:
        return ("?", "?", "", "")
    requests, longest = result.concurrency, result.max_context
    return (
        interval_text(_weights(result), _size) if result.weights.expected is not None else "?",
        interval_text(result.kv, _size),
        f"{interval_text(requests, lambda number: f'{number:.1f}')} of {result.context:,}"
        if requests is not None and requests.high and result.context
        else "",
        interval_text(longest, count) if longest is not None and longest.high else "",
    )


def fit_lines(result: HostFit) -> Iterator[str]:
    """Yield what tiers take in a line each, then the GPUs that they are on."""
    for tier in result.tiers:
        weights, cache, requests, longest = fit_cells(tier)
        parts = [f"weights {weights}", f"cache {cache}"]
        parts += [f"requests {requests}"] if requests else []
        parts += [f"longest context {longest}"] if longest else []
        yield f"fit: {tier.tier} {coloured(tier.verdict)}: {', '.join(parts)}"
    yield from (f"     {bar(gpu)} {gpu.gpu}, {gpu.mode}: {coloured(gpu.verdict)}" for gpu in result.gpus)


def _show_gpu(gpu: GpuFit) -> None:
    mode = f"{gpu.mode} and a trial" if gpu.with_experiment else gpu.mode
    parts = [f"{part.server} {'?' if part.size is None else interval_text(part.size, _size)}" for part in gpu.parts]
    parts += [f"reserved {_size(gpu.reserve)}"] if gpu.reserve else []
    click.echo(f"  {bar(gpu)}  {coloured(gpu.verdict)}  {mode}: {', '.join(parts)}")
    if gpu.reason:
        click.echo(f"  {gpu.reason}")


def bar(gpu: GpuFit) -> str:
    """Return a picture of a GPU: what is taken for certain, what may be, what is reserved and what is free."""
    sizes = [part.size for part in gpu.parts if part.size is not None]
    if not gpu.memory:
        return "?" * _BAR
    marks = [gpu.reserve, sum(size.low for size in sizes), sum(size.high - size.low for size in sizes)]
    ends = [round(sum(marks[: at + 1]) / gpu.memory * _BAR) for at in range(len(marks))]
    text = _RESERVED * ends[0] + _CERTAIN * (ends[1] - ends[0]) + _MAYBE * (ends[2] - ends[1])
    return text[:_BAR].ljust(_BAR, _FREE) + (_BEYOND if ends[2] > _BAR else "")


def coloured(verdict: Verdict) -> str:
    """Return a verdict in its colour."""
    return click.style(verdict, fg=_COLOURS[verdict])


def _size(amount: float | None) -> str:
    return "?" if amount is None else f"{amount / GIB:.2f} GiB"


def count(number: float) -> str:
    """Return a count of tokens for people."""
    return f"{number:,.0f}"


def interval_text(interval: Interval, spelled: Any) -> str:
    """Return an interval for people; one number where it is one."""
    low, high = spelled(interval.low), spelled(interval.high)
    return str(low) if low == high else f"{low} to {high}"


def estimate_json(result: Estimate) -> dict[str, Any]:
    """Return an estimate for programs: numbers are what is certain, and ``intervals`` the whole of what may be."""
    return {
        "weights_gib": None if result.weights.expected is None else _gib(result.weights.expected),
        "kv_gib": _interval_json(result.kv, _gib),
        "kv_bytes_per_token": _whole(result.bytes_per_token),
        "kv_tokens": None if result.tokens is None else int(result.tokens.low),
        "concurrency": None if result.concurrency is None else round(result.concurrency.low, 4),
        "max_context": None if result.max_context is None else int(result.max_context.low),
        "verdict": result.verdict,
        "reasons": list(result.reasons),
        "context": result.context,
        "overhead_gib": _interval_json(result.overhead, _gib),
        "total_gib": _interval_json(result.total, _gib),
        "host_gib": _interval_json(result.host, _gib),
        "intervals": {
            "weights_gib": None if result.weights.expected is None else _interval_json(_weights(result), _gib),
            "kv_tokens": _interval_json(result.tokens, int),
            "concurrency": _interval_json(result.concurrency, lambda number: round(number, 4)),
            "max_context": _interval_json(result.max_context, int),
        },
    }


def _tier_json(tier: TierFit) -> dict[str, Any]:
    numbers = estimate_json(tier.estimate) if tier.estimate is not None else {}
    return {
        "tier": tier.tier,
        "engine": tier.engine,
        "model": tier.model,
        "gpus": list(tier.gpus),
        **numbers,
        "verdict": tier.verdict,
        "reasons": list(tier.reasons),
    }


def _gpu_json(gpu: GpuFit) -> dict[str, Any]:
    return {
        "gpu": gpu.gpu,
        "mode": gpu.mode,
        "experiment": gpu.with_experiment,
        "memory_gib": None if gpu.memory is None else _gib(gpu.memory),
        "reserved_gib": _gib(gpu.reserve),
        "parts": [
            {"server": part.server, "gib": None if part.size is None else _interval_json(part.size, _gib)}
            for part in gpu.parts
        ],
        "verdict": gpu.verdict,
        "reason": gpu.reason,
    }


def _weights(result: Estimate) -> Interval:
    return Interval(low=result.weights.low, high=result.weights.high)


def _gib(amount: float) -> float:
    return round(amount / GIB, 4)


def _whole(number: float | None) -> float | None:
    return int(number) if number is not None and number == int(number) else number


def _interval_json(interval: Interval | None, spelled: Any) -> dict[str, Any] | None:
    return None if interval is None else {"low": spelled(interval.low), "high": spelled(interval.high)}
