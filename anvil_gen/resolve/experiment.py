"""The experiment slot: a service driven by variables, in a compose project of its own."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from anvil_gen.catalog.engine import Engine
from anvil_gen.resolve.compose_service import ServiceInputs, build_service
from anvil_gen.resolve.context import ResolveContext
from anvil_gen.resolve.model import EXPERIMENT_FILE, Experiment, Tier
from anvil_gen.resolve.model_server import resolve_server
from anvil_gen.resolve.model_source import Source, hub_mount
from anvil_gen.resolve.options import ExperimentOptions
from anvil_gen.resolve.server_gpus import share_of
from anvil_gen.resolve.variables_model import VARIABLE_LABEL
from anvil_gen.values import EnvRef, Interpolation, Text, VariableText, compose_text, fill, parts_of, text_of


def build_experiment(context: ResolveContext, tiers: tuple[Tier, ...], *, host: str) -> Experiment | None:
    """Return the experiment slot; None where the inventory has none, or one of an engine that cannot be tried."""
    table = context.inventory.experiment
    if table is UNSET:
        return None
    server = resolve_server(context, ExperimentOptions, table, ("experiment",), {"host": host})
    options = server.options
    if server.engine is not None and not _takes_model(server.engine):
        detail = f"{server.engine.title} has no command to put MODEL into"
        context.collector.add("not-for-the-experiment", ("experiment", "engine"), detail, "take another engine")
        return None
    port = _variable("PORT", default=text_of(options.port))
    served_name = _variable("SERVED_NAME", default=options.served_name)
    model = _variable("MODEL", error="set MODEL to a model of the hub, for example MODEL=openai/gpt-oss-20b")
    share = share_of(context, server)
    device_ids = tuple(_variable("GPU_UUID", default=gpu.device_id) for gpu in server.gpus)
    inputs = ServiceInputs(
        service="experiment",
        container_name=fill(options.container_name, {"port": port}) if options.container_name else None,
        served_names=(served_name,),
        port=port,
        published_port=port,
        device_ids=device_ids,
        share=share,
        sources={
            "model": Source(kind="repo", argument=model, revision=None, mount=hub_mount(context, server, server.path))
        },
        labels=tuple(_labels(served_name, port, device_ids)),
        extra_arguments=_variable("EXTRA_ARGS", default=""),
    )
    return Experiment(
        project=options.project,
        root_file=EXPERIMENT_FILE,
        engine=server.engine_name,
        port=int(options.port),
        share=share,
        service=build_service(context, server, inputs),
        neighbours=tuple(tier.service.name for tier in tiers if any(tier.may_hold(gpu) for gpu in server.gpus)),
        options=options,
    )


def _takes_model(engine: Engine) -> bool:
    """Return whether an engine's command says which model it serves."""
    in_command = any("{model}" in part for part in engine.command)
    return not engine.own_command and (in_command or not engine.fields.keys().isdisjoint(("model", "model.repo")))


def _labels(served_name: Text, port: Text, device_ids: tuple[Text, ...]) -> Iterator[tuple[str, Text]]:
    """Yield what a trial was started with, as its container keeps it: its command alone does not show where it ends."""
    yield f"{VARIABLE_LABEL}MODEL", _variable("MODEL", default="")
    yield f"{VARIABLE_LABEL}SERVED_NAME", served_name
    yield f"{VARIABLE_LABEL}PORT", port
    yield from ((f"{VARIABLE_LABEL}GPU_UUID", one) for one in device_ids)
    yield f"{VARIABLE_LABEL}EXTRA_ARGS", _variable("EXTRA_ARGS", default="")


def _variable(name: str, *, default: Text | None = None, error: str | None = None) -> VariableText:
    if default is not None and any(not isinstance(part, str) for part in parts_of(default)):
        return VariableText((Interpolation(name=name, operator=":-", word=compose_text(default)),))
    default = None if default is None else "".join(map(str, parts_of(default)))
    return VariableText((EnvRef(name=name, default=default, error=error),))
