"""From an inventory and the catalog to a `Stack`: every option with its value, every service ready to lay out."""

from __future__ import annotations

from msgspec import UNSET

from anvil_gen.catalog import Catalog, Engine
from anvil_gen.checks import check_stack
from anvil_gen.command import canonical_flag
from anvil_gen.diagnostics import did_you_mean, listing
from anvil_gen.inventory import ExperimentTable, Inventory, RouterTable, TierTable
from anvil_gen.model import (
    EnvRef,
    Experiment,
    Gpu,
    Interpolated,
    KeyPath,
    Options,
    Route,
    Router,
    Stack,
    Symbol,
    Text,
    Tier,
    Variable,
    fill,
    published,
)
from anvil_gen.options import Layer, filled, given, layered
from anvil_gen.paths import is_absolute
from anvil_gen.report import Report
from anvil_gen.serve import Site, read_serve, share_of
from anvil_gen.service import Facts, build_service, health_check
from anvil_gen.sources import Source, hub_mount, model_source


def host_options(inventory: Inventory, catalog: Catalog, *, file_stem: str, deploy: str) -> Options:
    """Return the options of ``[host]``; ``deploy`` is the default folder of rendered trees."""
    table = given(inventory.host)
    name = table.get("name", fill(catalog.defaults["host"]["name"], {"file": file_stem}))
    values: dict[str, Text] = {"file": file_stem, "host": name, "deploy": deploy}
    defaults = filled(catalog.defaults["host"], values)
    return layered(
        Layer(name="templates/defaults.toml", values=defaults), Layer(name="[host]", values=table, path=("host",))
    )


def resolve(inventory: Inventory, catalog: Catalog, report: Report, host: Options, *, header: str) -> Stack:
    """Resolve an inventory; faults go to ``report``, and what they hit is left out of the result.

    Args:
        inventory: the parsed inventory.
        catalog: engines, routers, vendors and defaults.
        report: takes every fault, so that all are told at once.
        host: the resolved ``[host]`` options.
        header: the inventory's name as the rendered files' headers give it.
    """
    site = Site(
        inventory=inventory,
        catalog=catalog,
        report=report,
        platform=Symbol(host["platform"]),
        gpus=_gpus(inventory, catalog, report),
    )
    if inventory.paths.models is not UNSET and not is_absolute(inventory.paths.models):
        remedy = "write it from the root on: /srv/models, C:/models, //server/share/models"
        report.add("not an absolute path", ("paths", "models"), f'"{inventory.paths.models}"', remedy)
    tiers = tuple(tier for name, table in inventory.tiers.items() if (tier := _tier(site, name, table)) is not None)
    if not inventory.tiers and not report.is_left_out(("tiers",)):
        report.add("no tiers", (), "the inventory serves nothing", 'add a table [tiers.NAME] with its "engine"')
    router = _router(site, inventory.router, tiers, project=host["project"]) if inventory.router is not UNSET else None
    experiment = (
        _experiment(site, inventory.experiment, host=host["name"]) if inventory.experiment is not UNSET else None
    )
    stack = Stack(
        host=host["name"],
        project=host["project"],
        platform=site.platform,
        inventory=header,
        tiers=tiers,
        router=router,
        experiment=experiment,
        variables=(*_router_variables(router), *_experiment_variables(experiment)),
    )
    check_stack(stack, inventory, report)
    return stack


def _gpus(inventory: Inventory, catalog: Catalog, report: Report) -> dict[str, Gpu]:
    gpus: dict[str, Gpu] = {}
    for name, table in inventory.gpus.items():
        path: KeyPath = ("gpus", name)
        options = layered(
            Layer(name="templates/defaults.toml", values=catalog.defaults["gpu"]),
            Layer(name=f"[gpus.{name}]", values=given(table), path=path),
        )
        if catalog.vendor(options["vendor"]) is None:
            report.add("unknown vendor", (*path, "vendor"), *catalog.unknown("gpus", options["vendor"]))
        elif options["uuid"] is None:
            report.missing(path, "uuid", "write the UUID that `nvidia-smi -L` prints")
        else:
            gpus[name] = Gpu(
                name=name, **{key: options[key] for key in options if key != "vendor"}, vendor=Symbol(options["vendor"])
            )
    return gpus


def _tier(site: Site, name: str, table: TierTable) -> Tier | None:
    serve = read_serve(site, table, ("tiers", name), {"name": name})
    if serve is None:
        return None
    options = serve.options
    facts = Facts(
        service=options["service"],
        container_name=options["container_name"],
        served_name=options["served_name"],
        port=str(options["port"]),
        uuids=tuple(gpu.uuid for gpu in serve.gpus),
        share=share_of(site, serve),
        source=model_source(site, serve, options["model"]),
    )
    return Tier(
        name=name,
        engine=serve.engine_name,
        task=Symbol(options["task"]),
        served_name=options["served_name"],
        port=options["port"],
        context_length=options["context_length"],
        tool_support=_has_tools(serve.engine, options),
        health_path=serve.engine.health.path,
        api_base=serve.engine.api_base,
        gpus=serve.gpus,
        share=facts.share,
        service=build_service(site, serve, facts),
        options=options,
    )


def _has_tools(engine: Engine, options: Options) -> bool:
    flags = {canonical_flag(flag): value for flag, value in {**engine.flags, **options["flags"]}.items()}
    return bool(engine.tools) and all(flags.get(flag, False) is not False for flag in engine.tools)


def _router(site: Site, table: RouterTable, tiers: tuple[Tier, ...], *, project: str) -> Router | None:
    catalog, report = site.catalog, site.report
    name = Symbol(catalog.defaults["router"]["engine"] if table.engine is UNSET else table.engine)
    kind = catalog.router(name)
    if kind is None:
        report.add("unknown router", ("router", "engine"), *catalog.unknown("routers", name))
        return None
    options = layered(
        Layer(name="templates/defaults.toml", values=filled(catalog.defaults["router"], {"project": project})),
        Layer(name=f"templates/routers/{name}/router.toml", values=kind.defaults),
        Layer(name="[router]", values=given(table), path=("router",)),
    )
    return Router(
        engine=name,
        service=options["service"],
        container_name=options["container_name"],
        image=options["image"],
        port=options["port"],
        ports=published(options["bind"], str(options["port"])),
        api_key_env=options["api_key_env"],
        restart=options["restart"],
        stop_grace_period=options["stop_grace_period"],
        log_max_size=options["log_max_size"],
        log_max_file=str(options["log_max_files"]),
        health=health_check(kind.health, str(options["port"]), kind.health.start_period),
        stack=project.removeprefix(kind.project_prefix),
        omitted=(
            *((Symbol("router/build/"),) if options["image"] is not None else ()),
            *(() if project.startswith(kind.project_prefix) else map(Symbol, kind.prefixed_files)),
        ),
        tasks=tuple(Symbol(task) for task in kind.tasks),
        routes=_routes(site, tiers, options, case_sensitive=kind.case_sensitive),
        variables=kind.variables,
        options=options,
    )


def _routes(site: Site, tiers: tuple[Tier, ...], options: Options, *, case_sensitive: bool) -> tuple[Route, ...]:
    """Return every name that a client may ask for: each tier's served name, then the aliases, sorted."""
    report, inventory, names = site.report, site.inventory, {tier.name for tier in tiers}
    taken: dict[str, tuple[str, str]] = {}
    routes: list[Route] = []

    def add(name: str, tier: str, path: KeyPath, what: str) -> None:
        folded = name if case_sensitive else name.casefold()
        if folded in taken:
            other, by = taken[folded]
            if other != tier:
                remedy = "give it another name: a request names one tier"
                report.add("model name taken twice", path, f'"{name}" is already {by} of "{other}"', remedy)
            return
        taken[folded] = (tier, what)
        routes.append(Route(name=name, tier=tier))

    for tier in tiers:
        origin = tier.options.origin("served_name").path or ("tiers", tier.name)
        add(tier.served_name, tier.name, origin, "the served name")
    for alias, target in sorted(options["aliases"].items()):
        path: KeyPath = ("router", "aliases", alias)
        if target in names:
            add(alias, target, path, "an alias")
        elif inventory.tiers and target not in inventory.tiers and not report.is_left_out(("tiers", target)):
            detail = f'"{target}" is no tier: the inventory has {listing(inventory.tiers)}'
            report.add("alias to a missing tier", path, detail, _nearest(target, site))
    return tuple(routes)


def _nearest(target: str, site: Site) -> str:
    return did_you_mean(target, site.inventory.tiers) or "name one of them"


def _experiment(site: Site, table: ExperimentTable, *, host: str) -> Experiment | None:
    serve = read_serve(site, table, ("experiment",), {"host": host})
    if serve is None:
        return None
    options = serve.options
    port = _variable("PORT", default=str(options["port"]))
    model = _variable("MODEL", error="set MODEL to a model of the hub, for example MODEL=openai/gpt-oss-20b")
    facts = Facts(
        service="experiment",
        container_name=fill(options["container_name"], {"port": port}),
        served_name=_variable("SERVED_NAME", default=options["served_name"]),
        port=port,
        uuids=tuple(_variable("GPU_UUID", default=gpu.uuid) for gpu in serve.gpus),
        share=share_of(site, serve),
        source=Source(argument=model, revision=None, mount=hub_mount(site, serve, serve.path)),
        extra_arguments=EnvRef(name="EXTRA_ARGS", default=""),
    )
    return Experiment(
        project=options["project"],
        engine=serve.engine_name,
        port=options["port"],
        service=build_service(site, serve, facts),
        options=options,
    )


def _variable(name: str, *, default: str | None = None, error: str | None = None) -> Interpolated:
    return Interpolated((EnvRef(name=name, default=default, error=error),))


def _router_variables(router: Router | None) -> tuple[Variable, ...]:
    if router is None or router.api_key_env is None:
        return ()
    comment = "The key that clients of the router send, as `Authorization: Bearer <key>`."
    return (Variable(name=router.api_key_env, comment=comment, file="router/compose.yml", standing=True),)


def _experiment_variables(experiment: Experiment | None) -> tuple[Variable, ...]:
    if experiment is None:
        return ()
    file = "docker-compose.experiment.yml"
    known = {
        "MODEL": "The model to try: a repository of the hub.",
        "SERVED_NAME": "The name that it answers to.",
        "PORT": "The port, in the container and on the host alike.",
        "GPU_UUID": "The card to try it on.",
        "EXTRA_ARGS": "Further arguments of the engine, as in a shell line.",
    }
    if experiment.service.gpus is None:
        del known["GPU_UUID"]
    return tuple(Variable(name=name, comment=comment, file=file) for name, comment in known.items())
