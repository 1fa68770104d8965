"""``anvil-gen fit``: whether models fit their GPUs, before anything is downloaded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from anvil_gen.catalog.architectures import architectures
from anvil_gen.catalog.catalog import Catalog, catalog_of, shipped_catalog
from anvil_gen.catalog.engine_memory import EngineMemory, engine_memory
from anvil_gen.cli import options
from anvil_gen.cli.views.fit import show_case, show_host
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, ExitCode, did_you_mean, join_words
from anvil_gen.fit.estimate import Case, Verdict
from anvil_gen.fit.facts_source import cached_facts, facts_of_path
from anvil_gen.fit.hub import hub_facts
from anvil_gen.fit.ledger import estimate
from anvil_gen.fit.model_facts import ModelFacts
from anvil_gen.fit.settings import GIB, Request, UnknownTypeError
from anvil_gen.fit.suggest import suggest
from anvil_gen.inventory.fleet import hosts_folder, only_host
from anvil_gen.render.jinja_env import cache_folder
from anvil_gen.resolve.model import Stack

MIB = 1 << 20
_AT_LEAST_ONE = click.IntRange(min=1)


@click.command("fit")
@click.argument("host", required=False, shell_complete=options.completing("hosts"))
@options.tiers
@click.option("--model", metavar="MODEL", help="Without an inventory: a folder, a GGUF file, or org/name of the Hub.")
@click.option("--engine", metavar="ENGINE", help="Engine that serves the model.")
@click.option("--engine-version", metavar="VERSION", help="Version of the engine (default: the newest known).")
@click.option("--gpu-memory-mib", type=_AT_LEAST_ONE, help="Memory of each GPU.")
@click.option("--fraction", type=click.FloatRange(0, 1, min_open=True), help="Share of each GPU that is taken.")
@click.option("--context", type=_AT_LEAST_ONE, help="Tokens of a request (default: the model's own).")
@click.option("--max-sequences", type=_AT_LEAST_ONE, help="Requests at the same time.")
@click.option("--max-batched-tokens", type=_AT_LEAST_ONE, help="Tokens of a batch.")
@click.option("--kv-dtype", metavar="TYPE", help="Type of the KV cache.")
@click.option("--tensor-parallel", type=_AT_LEAST_ONE, default=1, help="GPUs that share the model.")
@click.option("--kv-gib", type=click.FloatRange(min=0), help="Memory of the KV cache on each GPU, as given.")
@click.option("--prefix-caching/--no-prefix-caching", default=None, help="Whether prefixes are cached.")
@click.option("--speculative-tokens", type=click.IntRange(min=0), default=0, help="Tokens that are predicted ahead.")
@click.option("--parallel", type=_AT_LEAST_ONE, help="Slots of llama.cpp.")
@click.option("--ubatch", type=_AT_LEAST_ONE, help="Tokens that llama.cpp computes at once.")
@click.option("--n-gpu-layers", type=click.IntRange(min=0), help="Layers that llama.cpp puts on the GPU.")
@click.option("--suggest", is_flag=True, help="Show what makes it fit, and with a HOST which of its GPUs take it.")
@options.as_json
def command(*, host: str | None, tiers: tuple[str, ...], model: str | None, as_json: bool, **given: Any) -> ExitCode:
    """Show whether models fit their GPUs, and with which context.

    For each tier: weights, KV cache, tokens and the verdict; for each GPU: everything that can run together in a mode.
    Exits 2 if something does not fit.

    A number is exact where arithmetic decides and an interval where it does not; "unsure" means that the need lies
    inside of the interval. Models are read from this machine, from the host's locks, or from the Hugging Face Hub;
    weights are never downloaded.

    \b
    Examples:
      anvil-gen fit fakoli-dark
      anvil-gen fit lab-quad chat --json
      anvil-gen fit --model Qwen/Qwen3-8B --engine vllm --gpu-memory-mib 24576 --context 32768
      anvil-gen fit --model model.gguf --engine llamacpp --gpu-memory-mib 12288 --kv-dtype q8_0
      anvil-gen fit lab-quad chat --suggest       which context, sequences and type of the cache make it fit
      anvil-gen fit lab-quad --model org/name --engine vllm --suggest     which of its GPUs take a model
    """
    suggesting = given.pop("suggest")
    host = host or (None if model is not None else next(iter(only_host(Path.cwd())), None))
    if (host is None) == (model is None) and not (suggesting and host):
        raise click.UsageError("name a HOST, or a model with --model; both with --suggest")
    if host is not None and suggesting:
        return _suggest_for_host(host, tiers, model, given, as_json=as_json)
    if model is None:
        return _fit_host(str(host), tiers, given, as_json=as_json)
    given["suggest"] = suggesting
    return _fit_model(model, given, as_json=as_json)


def _suggest_for_host(
    host: str, tiers: tuple[str, ...], model: str | None, given: dict[str, Any], *, as_json: bool
) -> ExitCode:
    from anvil_gen.cli.views.suggest import show_suggestions  # noqa: PLC0415  only --suggest needs them
    from anvil_gen.fit.host_suggest import host_suggestions, model_suggestion  # noqa: PLC0415
    from anvil_gen.operate.deployment import open_deployment  # noqa: PLC0415

    found = open_deployment(host, Path.cwd()).host
    ask_hub = hub_asker(found.catalog)
    if model is None:
        _refuse_options(given)
        suggestions = host_suggestions(found, chosen_tiers(found.stack, tiers), ask_hub)
    else:
        engine = found.catalog.engine(given["engine"] or "")
        if engine is None:
            raise click.UsageError("--model needs --engine")
        rules = _rules(found.catalog, given["engine"], given["engine_version"])
        case = Case(facts=_facts(model, found.catalog), request=_request(given), rules=rules, memory=0)
        suggestions = [model_suggestion(found, model, case, engine, ask_hub)]
    show_suggestions(found.name, suggestions, as_json=as_json)
    return ExitCode.OK


def _fit_host(host: str, tiers: tuple[str, ...], given: dict[str, Any], *, as_json: bool) -> ExitCode:
    from anvil_gen.fit.host_fit import host_fit  # noqa: PLC0415  a model alone needs no inventory
    from anvil_gen.operate.deployment import open_deployment  # noqa: PLC0415

    _refuse_options(given)
    found = open_deployment(host, Path.cwd()).host
    result = host_fit(found, chosen_tiers(found.stack, tiers), hub_asker(found.catalog))
    show_host(result, as_json=as_json)
    return _exit_code(result.verdict)


def _refuse_options(given: dict[str, Any]) -> None:
    """Refuse options of a model where the inventory says them."""
    extra = [name for name, value in given.items() if value not in (None, 0, 1)]
    if extra:
        raise click.UsageError(
            f"--{extra[0].replace('_', '-')} goes with --model; a host's tiers say it in the inventory"
        )


def hub_asker(catalog: Catalog) -> Callable[[str, str | None], ModelFacts]:
    """Return what looks into the Hugging Face cache of whoever calls, then asks the Hub, and keeps the answers."""
    known = architectures(catalog)

    def ask(repo: str, revision: str | None) -> ModelFacts:
        cached = cached_facts(_hub_cache(), repo, revision, known)
        if cached is not None and cached.bytes.total:
            return cached
        try:
            return hub_facts(repo, revision, known, cache=_cache())
        except DiagnosticError:
            if cached is None:
                raise
            return cached  # its configuration alone: what its weights take is then not known

    return ask


def chosen_tiers(stack: Stack, names: tuple[str, ...]) -> list[str]:
    """Return the tiers of some names, which may be those of their services."""
    by_name = {tier.service.name: tier.name for tier in stack.tiers} | {tier.name: tier.name for tier in stack.tiers}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise DiagnosticError(
            Diagnostic(
                code="unknown-tier",
                detail=f'"{name}" is not a tier (defined: {join_words(tier.name for tier in stack.tiers)})',
                remedy=did_you_mean(name, by_name) or "name one of them",
            )
            for name in unknown
        )
    return [by_name[name] for name in names]


def _fit_model(model: str, given: dict[str, Any], *, as_json: bool) -> ExitCode:
    folder = hosts_folder(Path.cwd())
    catalog = catalog_of(folder.parent) if folder is not None else shipped_catalog()
    for name in ("engine", "gpu_memory_mib"):
        if given[name] is None:
            raise click.UsageError(f"--model needs --{name.replace('_', '-')}")
    rules = _rules(catalog, given["engine"], given["engine_version"])
    case = Case(
        facts=_facts(model, catalog),
        request=_request(given),
        rules=rules,
        memory=given["gpu_memory_mib"] * MIB,
        kv=None if given["kv_gib"] is None else round(given["kv_gib"] * GIB),
    )
    try:
        result = estimate(case)
    except UnknownTypeError as error:
        raise click.UsageError(f"--kv-dtype {error}") from None
    if given["suggest"]:
        from anvil_gen.cli.views.suggest import show_case_suggestion  # noqa: PLC0415  only --suggest needs it

        show_case_suggestion(model, given["engine"], given["engine_version"], case, suggest(case), as_json=as_json)
    else:
        show_case(model, given["engine"], given["engine_version"], case, result, as_json=as_json)
    return _exit_code(result.verdict)


def _rules(catalog: Catalog, engine: str, version: str | None) -> EngineMemory:
    rules = engine_memory(catalog, engine)
    if rules is None:
        known = [name for name in catalog.names("engines") if engine_memory(catalog, name) is not None]
        raise click.UsageError(f'--engine "{engine}" is none of: {join_words(known)}')
    return rules.of_version(version)


def _facts(model: str, catalog: Catalog) -> ModelFacts:
    path, known = Path(model), architectures(catalog)
    is_repo = not path.exists() and model.count("/") == 1 and not model.endswith(".gguf") and not model.startswith(".")
    if not is_repo:
        return facts_of_path(path, known)
    return hub_asker(catalog)(model, None)


def _hub_cache() -> Path:
    """Return the Hugging Face cache of whoever calls."""
    return Path(os.environ.get("HF_HOME") or Path("~/.cache/huggingface")).expanduser()


def _request(given: dict[str, Any]) -> Request:
    names = set(Request.__struct_fields__)
    return Request(**{name: value for name, value in given.items() if name in names})


def _cache() -> Path | None:
    templates = cache_folder()
    return None if templates is None else templates.parent


def _exit_code(verdict: Verdict) -> ExitCode:
    return ExitCode.DIFFERS if verdict == "does not fit" else ExitCode.OK
