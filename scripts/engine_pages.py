"""The page of each engine, and that of the failures that any engine or router may have."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from flags_section import flags_section
from page_parts import NOTE, table, toml

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.engine import Engine, Quirk
from anvil_gen.catalog.image_kind import ImageKind
from anvil_gen.catalog.log_patterns import Failure, log_data
from anvil_gen.catalog.template_tree import LOG_FILE
from anvil_gen.values import fill

FAILURES_NOTE = (
    "What lines of its log mean; `{...}` is what the line says. Beside these, [those of any engine](../failures.md)."
)
IMPAIRMENTS_NOTE = "Lines that tell of a service that serves, but not as the inventory says."
# What an engine answers to.
NAMES = {
    "one": "its served name: an alias needs a router that rewrites names",
    "several": "its served name and its aliases, of which it is told",
    "any": "whatever is asked for",
}


def engine_page(name: str, catalog: Catalog) -> str:
    """Return the page of one engine."""
    engine = catalog.engine(name)
    if engine is None:
        raise LookupError(name)
    lines = [NOTE, f'# {engine.title}: `engine = "{name}"`', "", f"Documentation: <{engine.docs}>", ""]
    lines += table(("what", "value"), engine_rows(engine))
    mapped = [(field, f"`--{flag}`") for field, flags in engine.fields.items() for flag in names(flags)]
    mapped += [(field, f"`{variable}` in the environment") for field, variable in engine.field_env.items()]
    if mapped:
        lines += ["", "## Fields and what they become", ""]
        lines += table(("field", "becomes"), ((f"`{field}`", what) for field, what in mapped))
    lines += ["", "## Habits of its services", ""]
    lines += table(("key", "default", "why"), habit_rows(engine, catalog))
    if engine.quirks:
        lines += ["", "## Quirks", ""]
        lines += table(("where", "what", "why"), (quirk_row(quirk) for quirk in engine.quirks))
    timeline = catalog.flag_timeline(name)
    lines += flags_section(name, timeline) if timeline is not None else _without_flags(name)
    log = log_data(catalog, f"engines/{name}/{LOG_FILE}")
    if log.stage:
        lines += ["", "## While it starts", "", "Its log tells what it does, in this order:", ""]
        lines += table(("it is", "from a line like"), ((stage.words, code(stage.example)) for stage in log.stage))
    if log.failure:
        lines += ["", "## Known reasons not to start", "", f"{FAILURES_NOTE}", ""]
        lines += failure_table(log.failure)
    if log.impairment:
        lines += ["", "## Healthy, but", "", IMPAIRMENTS_NOTE, ""]
        lines += failure_table(log.impairment)
    return "\n".join(lines) + "\n"


def failures_page(catalog: Catalog) -> str:
    """Return the page of the failures that any engine may have, and of the routers'."""
    lines = [NOTE, "# Known reasons not to start, of any engine", ""]
    lines += ["Words of the libraries that engines stand on. What an engine says in its own words is on its page.", ""]
    general = log_data(catalog, LOG_FILE)
    lines += failure_table(general.failure)
    if general.hang is not None:
        cause, remedy = general.hang.cause, general.hang.remedy
        lines += ["", "## A start that stands still", ""]
        lines += [f"{cause[0].upper()}{cause[1:]}. What to do: {remedy}."]
    lines += ["", "## Healthy, but", "", IMPAIRMENTS_NOTE, "", *failure_table(general.impairment)]
    for name in catalog.names("routers"):
        kind, log = catalog.router(name), log_data(catalog, f"routers/{name}/{LOG_FILE}")
        if kind is not None and log.failure:
            lines += ["", f"## The router {kind.title}", "", *failure_table(log.failure)]
    return "\n".join(lines) + "\n"


def failure_table(failures: Iterable[Failure]) -> list[str]:
    """Return a table of known failures."""
    rows = ((code(one.example), one.cause, one.remedy, one.source) for one in failures)
    return table(("a line like", "cause", "remedy", "known from"), rows)


def code(text: str) -> str:
    """Return a line of a log as code; some have backticks in them."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _without_flags(name: str) -> list[str]:
    reasons = tomllib.loads(Path(__file__).with_name("without_flags.toml").read_text("utf-8"))
    return ["", "## Flags of its versions", "", f"None of its flags is checked: {reasons[name]}."]


def names(flags: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the flags of an option as a tuple."""
    return (flags,) if isinstance(flags, str) else flags


def habit_rows(engine: Engine, catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """Yield what every service of an engine does unless a tier says otherwise, with the reason."""
    values = {"init": True, **catalog.defaults["tier"], **engine.defaults}
    for key, reason in {**catalog.defaults["reasons"], **engine.reasons}.items():
        if values.get(key) is not None:
            yield f"`{key}`", f"`{toml(values[key])}`", reason


def image_kind_parts(kind: ImageKind) -> Iterator[str]:
    """Yield what is peculiar to some images."""
    if kind.vendor:
        yield "for the processor" if kind.vendor == "cpu" else f"for {kind.vendor}"
    if kind.architectures:
        yield ", ".join(kind.architectures)
    if kind.entrypoint is not None:
        yield f"entrypoint `{' '.join(kind.entrypoint)}`" if kind.entrypoint else "their own entrypoint"
    if kind.needs:
        yield f"with `{toml(kind.needs)}`"


def image_rows(engine: Engine) -> Iterator[tuple[str, str]]:
    """Yield an engine's images, and what is peculiar to some."""
    yield "default image", f"`{engine.image}`" if engine.image else "none: the tier names one"
    if engine.image_cpu:
        yield "image without GPUs", f"`{engine.image_cpu}`"
    for architecture, replaced in engine.architectures.items():
        for image, other in replaced.items():
            yield f"on {architecture}, instead of `{image}`", f"`{other}`"
    for vendor, images in engine.images.items():
        for key, image in images.items():
            capability = "" if key == "default" else f", compute capability {key}"
            yield f"image for {vendor}{capability}", f"`{image}`"
    for kind in engine.image_kinds:
        described = "; ".join(image_kind_parts(kind))
        if described:
            yield f"images `{kind.pattern.replace('|', chr(92) + '|')}`", described


def engine_rows(engine: Engine) -> Iterator[tuple[str, str]]:
    """Yield what an engine's data says, for people."""
    yield from image_rows(engine)
    if engine.entrypoint:
        yield "entrypoint", f"`{' '.join((*engine.entrypoint, *engine.command))}`"
    for flag, keys in engine.flag_needs.items():
        yield f"`--{flag}` brings", f"`{toml(keys)}`"
    yield "models by", ", ".join(f"`{kind}`" for kind in engine.models)
    yield "model names", NAMES[engine.served_names]
    yield "tasks", ", ".join(f"`{task}`" for task in engine.tasks)
    yield from (
        (f"further paths, {task}", ", ".join(f"`{path}`" for path in paths)) for task, paths in engine.paths.items()
    )
    yield "GPUs", ", ".join(engine.vendors) or "none: it runs on the processor"
    if "port" in engine.defaults:
        yield "default of `port`", f"`{toml(engine.defaults['port'])}`"
    for flag, value in engine.flags.items():
        yield f"always sets `--{flag}`", f"`{toml(value)}`"
    for variable, value in {**engine.environment, **engine.hub_environment}.items():
        yield f"sets `{variable}`", f"`{fill(value, {'hub_cache': engine.hub_cache})}`"
    if engine.health:
        yield "health check", f"`{' '.join(engine.health.test)}` every {engine.health.interval}"
    for cache in engine.caches:
        yield f"volume `{cache.volume}`", f"`{cache.target}`: {cache.reason}"
    if engine.tool_flags:
        yield "offers tools with", " and ".join(f"`--{flag}`" for flag in engine.tool_flags)


def quirk_row(quirk: Quirk) -> tuple[str, str, str]:
    """Return the cells of one quirk."""
    where = [
        *((f"{quirk.gpus_from} GPUs or more",) if quirk.gpus_from else ()),
        *((f"version {quirk.since} or newer",) if quirk.since else ()),
        *((f"before version {quirk.until}",) if quirk.until else ()),
        *((f"platform `{quirk.platform}`",) if quirk.platform else ()),
        *((f"compute capability below {quirk.compute_capability_below}",) if quirk.compute_capability_below else ()),
        *((f"compute capability from {quirk.compute_capability_from}",) if quirk.compute_capability_from else ()),
    ]
    what = [f"sets `{key}={value}`" for key, value in quirk.environment.items()]
    what += [f"sets `--{flag}={value}`" for flag, value in quirk.flags.items()]
    if quirk.refuse:
        values = " and ".join(f"`{value}`" for value in quirk.refuse.values)
        what.append(f"refuses {values} for `{quirk.refuse.option}`: {quirk.refuse.remedy}")
    return ", ".join(where), "; ".join(what), quirk.reason
