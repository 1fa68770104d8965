"""What can be wrong with a model server's options, beyond their types."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from anvil_gen.catalog.engine import Engine
from anvil_gen.inventory.collector import Collector
from anvil_gen.inventory.schema_tier import HealthCheckTable
from anvil_gen.resolve.context import AnyServer, ResolveContext, matching_quirks
from anvil_gen.resolve.flag_check import check_fields, check_variables, report
from anvil_gen.resolve.image_kinds import check_image
from anvil_gen.resolve.options import ServerOptions
from anvil_gen.resolve.parallel import PARALLEL_FIELDS, check_parallel
from anvil_gen.resolve.server_gpus import check_vendors
from anvil_gen.values import KeyPath, address, canonical_flag

# Options of an engine's flag table that are no field of the table at hand.
FIELD_OF_OPTION = {"tensor_parallel": "gpu", "revision": "model.revision"}
# Fields that are lost where the engine has neither flag nor variable for them.
FIELDS_NEEDING_FLAG = (
    "context_length",
    "max_sequences",
    "kv_cache_dtype",
    "draft_model",
    "mmproj",
    "lora",
    *PARALLEL_FIELDS,
)
# Fields that say what a tier is reached by, whether or not its engine is told.
_READ_BY_OTHERS = ("port", "served_name")


def check_server(context: ResolveContext, server: AnyServer) -> None:
    """Report what is wrong with the options of a model server."""
    if server.engine is not None:
        for check in (
            check_vendors,
            check_parallel,
            check_image,
            _check_needs,
            _check_fields,
            _check_health,
            _check_flags,
            _check_version,
            _refuse_quirks,
        ):
            check(context, server, server.engine)
    _check_passed(context, server)
    _check_build(context, server)
    check_log_fields(context, server.path)


def _check_needs(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Report what a tier needs and has not: a port, a task that its engine serves."""
    options = server.options
    if options.port is None:
        context.collector.missing_key(server.path, "port", "write the port that the container listens on")
    if options.task is not None and options.task not in engine.tasks:
        path = options.origin("task").path
        detail = f'{engine.title} does not serve "{options.task}": it serves {", ".join(engine.tasks)}'
        remedy = f'write task = "{next(iter(engine.tasks))}", or take another engine'
        context.collector.add("not-for-this-engine", path or server.path, detail, remedy, key=path is None)


def _check_fields(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Report fields that this engine has no flag or variable for."""
    unable = [] if engine.own_command else [name for name in FIELDS_NEEDING_FLAG if not _is_mapped(engine, name)]
    unable += ["flags"] if engine.own_command else []
    for name in unable:
        path = server.options.path_of(name)
        if path is not None and path[: len(server.path)] == server.path:
            detail = f'{engine.title} has no flag or variable for "{name}"'
            remedy = "remove it" if name == "flags" else "remove it, or look for a flag that says it"
            context.collector.add("not-for-this-engine", path, detail, remedy, key=True)


def _check_passed(context: ResolveContext, server: AnyServer) -> None:
    """Report variables that are both passed on and set."""
    for index, name in enumerate(server.options.pass_):
        if name in server.options.variables:
            detail = f'"{name}" is set in environment, and passed on'
            path = (*server.path, "pass", index)
            context.collector.add("two-fields-for-one-thing", path, detail, "keep one of them")


def _check_build(context: ResolveContext, server: AnyServer) -> None:
    """Warn that nothing notices a changed context of a build."""
    path = server.options.path_of("build")
    if server.options.build is None or path is None:
        return
    detail = "Compose builds only what is missing: after a change in the context, the old image runs on"
    remedy = f"build it again: docker compose up -d --build {server.options.get('service') or ''}".rstrip()
    context.collector.add("changes-of-a-build-are-not-noticed", path, detail, remedy, key=True, severity="warning")


def check_log_fields(context: ResolveContext, table: KeyPath) -> None:
    """Report a table that says where its log goes, and how Docker's own is rotated too."""
    written = context.collector.value_at(table) or {}
    for name in ("log_max_size", "log_max_files"):
        if "logging" in written and name in written:
            detail = f'"logging" of {address(table)} says it'
            context.collector.add("two-fields-for-one-thing", (*table, name), detail, "keep one of them", key=True)


def _check_health(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Report a health check that says one time twice, or changes those of a test which there is not."""
    own, written = server.options.healthcheck, context.collector.value_at(server.path)
    if own is False and written.get("start_period") and "healthcheck" in written:
        detail, path = "without a health check it says nothing", (*server.path, "start_period")
        context.collector.add("conflicting-values", path, detail, "remove it, or healthcheck = false", key=True)
    if not isinstance(own, HealthCheckTable):
        return
    if own.start_period is not UNSET and "start_period" in written and "healthcheck" in written:
        detail, path = '"healthcheck" has it too', (*server.path, "start_period")
        context.collector.add("two-fields-for-one-thing", path, detail, "keep one of them", key=True)
    if own.test is UNSET and not own.disable and engine.health is None:
        path = (*(server.options.path_of("healthcheck") or server.path),)
        context.collector.missing_key(path, "test", f'write test = ["CMD", …]: {engine.title} has no check of its own')


def _is_mapped(engine: Engine, name: str) -> bool:
    return any(field.partition(".")[0] == name for field in (*engine.fields, *engine.field_env))


def _check_flags(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Report flags that a field says already, and values that no command line can carry."""
    flags_path = (*server.path, "flags")
    by_flag = engine.flag_fields
    rules = server.rules if server.options.flag_check else None
    spelled: dict[str, str] = {}
    for name, value in server.options.flags.items():
        here = (*flags_path, name)
        main_form = rules.main_form(name) if rules is not None else canonical_flag(name)
        other = spelled.setdefault(main_form, name)
        option = by_flag.get(canonical_flag(name)) or by_flag.get(main_form)
        if option is not None and _is_open(server.options, option, is_removed=value is False):
            option = None
        if other != name and option is None:
            detail = f'"{other}" is the same flag for the engine'
            context.collector.add("flag-written-twice", here, detail, "keep one of the two", key=True)
        if other == name and option is not None and not (value is True and rules and rules.is_switch(name)):
            field = option if option in server.options else FIELD_OF_OPTION.get(option, option)
            context.collector.add(
                "flag-of-a-field",
                here,
                f'"--{name}" is written by the field "{field}"',
                f'remove it, and set "{field}" of {address(server.path)}',
                key=True,
            )
        elif other == name and rules is not None:
            report(context.collector, here, rules, value, name)
        _check_flag_value(context.collector, here, value)
        _check_json_flag(context, server, engine, name)


def _is_open(options: ServerOptions, option: str, *, is_removed: bool) -> bool:
    """Tell whether a flag may be written although it is that of a field, since it contradicts no field.

    That is a model where the tier leaves it to others, and the removal of what others read too or nobody has set.
    """
    if option.partition(".")[0] == "model":
        return options.get("model") is False
    return is_removed and (option in _READ_BY_OTHERS or (option in options and options.get(option) is None))


def _check_version(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Report values of fields, and variables, that the engine's version does not take."""
    if server.rules is not None and server.options.flag_check:
        check_fields(context.collector, server.options, engine, server.rules, server.path)
        check_variables(context.collector, server.path, server.options.variables, server.rules)


def _check_json_flag(context: ResolveContext, server: AnyServer, engine: Engine, name: str) -> None:
    """Report a flag that is JSON, and says what a field of the tier does."""
    value = server.options.flags[name]
    for field, key in engine.json_keys.items():
        same = canonical_flag(str(engine.fields[field])) == canonical_flag(name)
        if same and server.options.get(field) is not None and (not isinstance(value, dict) or key in value):
            here = (*server.path, "flags", name)
            detail = f'the field "{field}" writes "{key}" of its JSON'
            remedy = f'write the other keys as a table, without "{key}"'
            context.collector.add("flag-of-a-field", here, detail, remedy, key=True)


def _check_flag_value(collector: Collector, path: KeyPath, value: Any) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, list):
                collector.add("wrong-type", (*path, index), "a list inside a list", "a flag takes a list of values")
            else:
                _check_flag_value(collector, (*path, index), item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_flag_value(collector, (*path, key), item)
    elif isinstance(value, float) and not abs(value) < float("inf"):
        collector.add("number-out-of-range", path, "it is not finite", "write it as text, if the engine takes that")
    elif not isinstance(value, str | int | float):
        collector.add("wrong-type", path, "a date or time", "write it in quotes")


def _refuse_quirks(context: ResolveContext, server: AnyServer, engine: Engine) -> None:
    """Report options whose values do not work on this platform or these GPUs."""
    for quirk in matching_quirks(context, engine, server.gpu_request):
        refusal = quirk.refuse
        value = server.options.get(refusal.option) if refusal is not None else None
        if refusal is not None and value in refusal.values:
            path = (*server.path, refusal.option)
            context.collector.add("not-on-this-gpu", path, f'"{value}": {quirk.reason}', refusal.remedy)
