"""The experiment slot: a service driven by variables, in a compose project of its own."""

from __future__ import annotations

from msgspec import UNSET

from anvil_gen.model import EnvRef, Experiment, Interpolated, Tier, fill
from anvil_gen.serve import Site, read_serve, share_of
from anvil_gen.service import Facts, build_service
from anvil_gen.sources import Source, hub_mount

VARIABLES = {
    "MODEL": "The model to try: a repository of the hub.",
    "SERVED_NAME": "The name that it answers to.",
    "PORT": "The port, in the container and on the host alike.",
    "GPU_UUID": "The card to try it on.",
    "EXTRA_ARGS": "Further arguments of the engine, as in a shell line.",
}
"""What drives the slot, each with its meaning."""


def build_experiment(site: Site, tiers: tuple[Tier, ...], *, host: str) -> Experiment | None:
    """Return the experiment slot; None where the inventory has none."""
    table = site.inventory.experiment
    if table is UNSET:
        return None
    serve = read_serve(site, table, ("experiment",), {"host": host})
    options = serve.options
    if serve.engine.own_command:
        detail = f"{serve.engine.title} has no command to put MODEL into"
        site.report.add("not for the experiment", ("experiment", "engine"), detail, "take another engine")
    port = _variable("PORT", default=str(options["port"]))
    model = _variable("MODEL", error="set MODEL to a model of the hub, for example MODEL=openai/gpt-oss-20b")
    facts = Facts(
        service="experiment",
        container_name=fill(options["container_name"], {"port": port}),
        served_name=_variable("SERVED_NAME", default=options["served_name"]),
        port=port,
        uuids=tuple(_variable("GPU_UUID", default=gpu.uuid) for gpu in serve.gpus),
        share=share_of(site, serve),
        sources={"model": Source(kind="repo", argument=model, revision=None, mount=hub_mount(site, serve, serve.path))},
        extra_arguments=EnvRef(name="EXTRA_ARGS", default=""),
    )
    return Experiment(
        project=options["project"],
        engine=serve.engine_name,
        port=options["port"],
        service=build_service(site, serve, facts),
        neighbours=tuple(
            tier.service.name for tier in tiers if {gpu.name for gpu in tier.gpus} & {gpu.name for gpu in serve.gpus}
        ),
        options=options,
    )


def _variable(name: str, *, default: str | None = None, error: str | None = None) -> Interpolated:
    return Interpolated((EnvRef(name=name, default=default, error=error),))
