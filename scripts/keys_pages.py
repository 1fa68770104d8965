"""The pages of all keys: those of an inventory, and those of the data files in templates/."""

from __future__ import annotations

from typing import Any

from page_parts import NOTE, table, toml

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.json_schema import data_schema
from anvil_gen.inventory.fields import COMPOSE
from anvil_gen.inventory.json_schema import group_schema, inventory_schema
from anvil_gen.inventory.schema_own_keys import OWN_KEYS

NONE = "-"
# Key whose examples are the folders of templates -> the kind of folder, by struct.
LISTED = {
    ("TierTable", "engine"): "engines",
    ("ExperimentTable", "engine"): "engines",
    ("RouterTable", "kind"): "routers",
    ("GpuTable", "vendor"): "gpus",
}
# Table of the inventory -> struct of the schema, section of templates/defaults.toml.
TABLES = {
    "(top level)": ("Inventory", None),
    "[host]": ("HostTable", "host"),
    "[paths]": ("PathsTable", "paths"),
    "[hfcache]": ("HfCacheTable", "hfcache"),
    "[gpus.NAME]": ("GpuTable", "gpu"),
    "[links.NAME]": ("LinkTable", None),
    "[tiers.NAME]": ("TierTable", "tier"),
    "model of a tier": ("ModelTable", "model"),
    "draft_model of a tier": ("WeightsTable", "model"),
    "lora.NAME of a tier": ("AdapterTable", None),
    "an entry of env_file": ("EnvFileTable", None),
    "healthcheck of a tier": ("HealthCheckTable", None),
    "mounts of a tier, of [experiment] and [router]": ("MountTable", "mount"),
    "networks of a tier and of [router]": ("NetworkTable", None),
    "logging of a tier, the router or the experiment": ("LoggingTable", None),
    "[modes.NAME]": ("ModeTable", None),
    "[router]": ("RouterTable", "router"),
    "[router.tiers.NAME]": ("RouterTierTable", None),
    "tls of [router]": ("TlsTable", None),
    "[experiment]": ("ExperimentTable", "experiment"),
    "[monitoring]": ("MonitoringTable", "monitoring"),
    "groups/NAME.toml": ("GroupTable", None),
    "[kubernetes]": ("KubernetesTable", "kubernetes"),
    "[kubernetes.gateway]": ("GatewayTable", None),
    "[quadlet]": ("QuadletTable", "quadlet"),
    'a reference: { env = "NAME" }': ("EnvTable", None),
}
# Data file -> its name in templates/, and its tables: title, struct of the schema.
DATA_TABLES = {
    "engine": (
        "engines/NAME/engine.toml",
        {
            "(top level)": "Engine",
            "[health], of a router too": "Health",
            "[models_endpoint]": "ModelsEndpoint",
            "[[caches]]": "Cache",
            "[[image_kinds]]": "ImageKind",
            "run_as of an image kind": "RunAs",
            "[any_name]": "AnyName",
            "[[quirks]]": "Quirk",
            "[[versions]]": "VersionData",
            "refuse of a quirk": "Refusal",
            "[parallel]": "Parallel",
            "[recognise]": "Recognise",
            "[metrics], of a router too": "Metrics",
            "[picked]": "Picked",
            "[multi_node]": "MultiNode",
            "[multi_node.executors.NAME]": "Executor",
            "head and worker of an executor": "RankData",
        },
    ),
    "router": ("routers/NAME/router.toml", {"(top level)": "RouterKind"}),
    "gpu": (
        "gpus/NAME/gpu.toml",
        {
            "(top level)": "Vendor",
            "[[listing]]": "ProgramListing",
            "[devices]": "DeviceListing",
            "[runtime]": "Runtime",
            "[probe]": "PinProbe",
            "[exporter]": "Exporter",
            "[[exporter.labels]]": "GpuLabel",
            "[requests.*]": "GpuForm",
            "[claim]": "Claim",
        },
    ),
    "log": (
        "log.toml",
        {"[[stage]]": "Stage", "[[failure]]": "Failure", "[[impairment]]": "Impairment", "[hang]": "Hang"},
    ),
    "memory": (
        "engines/NAME/memory.toml",
        {
            "(top level)": "EngineMemory",
            "[[since]]": "Since",
            "an interval": "Interval",
            "[[max_sequences]] and the like": "Step",
            "[padding.*]": "Padding",
            "[pictures.*]": "Picture",
        },
    ),
    "architectures": ("architectures.toml", {"[[family]]": "Family", "[[omitted]]": "Omitted"}),
    "model": ("models/NAME.toml", {"[[family]]": "ModelFamily"}),
    "target": ("targets/NAME/target.toml", {"(top level)": "Target", "[group]": "GroupWords", "[keys]": "KeyWords"}),
}


def inventory_page(catalog: Catalog) -> str:
    """Return the page of all keys."""
    definitions = {**group_schema()["$defs"], **inventory_schema()["$defs"]}
    lines = [
        NOTE,
        "# The inventory",
        "",
        "One TOML file a host, `hosts/<host>.toml`. Every table but one `[tiers.NAME]` is optional. Names in the",
        "default column stand for: `{name}` the entry's own name, `{host}`, `{project}`, `{engine}` and `{port}` what",
        "they say, `{file}` the file's name, `{deploy}` the folder `deploy/` beside `hosts/`. Engines have defaults of",
        "their own, on [their pages](engines). `anvil-gen schema` prints the same as a JSON Schema for editors.",
        "",
        "A value that a tier's field says is never written as a flag too; everything else goes through `flags`:",
        "",
        "```toml",
        "flags.enable-prefix-caching = true          # --enable-prefix-caching",
        'flags.reasoning-parser = "qwen3"            # --reasoning-parser=qwen3',
        'flags.limit-mm-per-prompt = { image = 4 }   # --limit-mm-per-prompt={"image":4}',
        "flags.host = false                          # removes a flag that the engine's data sets",
        "flags.port = false                          # does not tell the engine: its own default is the same",
        "environment.CUDA_DEVICE_ORDER = false       # removes a variable that the data of engine or GPU sets",
        "```",
        "",
        "A field of the type `variable` may be left to the shell or `.env` of the host, where Compose reads it; so may",
        "whatever is in `environment`, `flags`, `override` and Compose's own keys. Every other `$` is literal. A",
        "plain text with `${NAME}` in it, or that is `$NAME`, is an error in `image`, `environment`, `mounts`, folders",
        "of the host, `override` and Compose's own keys, where it never means the text itself.",
        "What checks reckon with needs a default; what the router's own files say can be no variable:",
        "",
        "```toml",
        'context_length = { env = "LEN", default = 8192 }                      # ${LEN:-8192}',
        'image = { interpolate = "vllm/vllm-openai:${TAG:-latest}" }           # Compose\'s own syntax',
        'extra_arguments = { env = "EXTRA_ARGS" }                              # none or several, split by Compose',
        'environment.GREETING = { interpolate = "$${NAME}" }                   # the text ${NAME}',
        "```",
        "",
        "A relative path in `[paths]`, `[hfcache]`, `mounts`, `files`, `override`, `[services]`, `[volumes]`,",
        "`[secrets]` and `[configs]` starts from this file's folder. Rendered, it is relative to the file that has it;",
        "so is what a variable holds, unless `project_directory` in `[host]` names one folder for the values of all",
        "tiers and services.",
    ]
    for title, (struct, section) in TABLES.items():
        definition = definitions[struct]
        lines += ["", heading(title), "", definition["description"], ""]
        # An option named like a word of Python ends in `_` there.
        defaults = {key.rstrip("_"): value for key, value in catalog.defaults.get(section or "", {}).items()}
        rows = []
        for name, option in definition["properties"].items():
            default = defaults.get(name) if name in OWN_KEYS else defaults[name] if section else None
            listed = catalog.names(LISTED[struct, name]) if (struct, name) in LISTED else []
            rows.append(key_row(name, option, definitions, default=default, listed=listed))
        lines += table(("key", "type", "unit", "default", "example", "meaning"), rows)
    return "\n".join(lines) + "\n"


def data_page() -> str:
    """Return the page of the keys of the data files in templates/."""
    lines = [
        NOTE,
        "# Keys of the data files",
        "",
        "What the files are for is in [templates.md](templates.md). Every key but the required ones may be left out.",
        "`anvil-gen schema --of engine` (or `router`, `gpu`, `log`, `memory`, `architectures`, `model`, `target`)",
        "prints the same as a JSON Schema, which a file names in its first line for editors:",
        "`#:schema ../../engine.schema.json`.",
    ]
    for kind, (file, tables) in DATA_TABLES.items():
        definitions = data_schema(kind)["$defs"]
        lines += ["", f"## `{file}`"]
        for title, struct in tables.items():
            definition = definitions[struct]
            lines += ["", f"#{heading(title)}", "", definition["description"], ""] if len(tables) > 1 else [""]
            required = definition.get("required", ())
            rows = (
                data_row(name, option, definitions, name in required)
                for name, option in definition["properties"].items()
            )
            lines += table(("key", "type", "default", "meaning"), rows)
    return "\n".join(lines) + "\n"


def data_row(name: str, option: dict[str, Any], definitions: dict[str, Any], required: bool) -> list[str]:
    """Return the cells of one key of a data file."""
    described = option.get("description") or definitions[option["$ref"].rpartition("/")[2]]["description"]
    default = option.get("default")
    said = "**required**" if required else NONE if default in (None, "", (), {}) else f"`{toml(default)}`"
    return [f"`{name}`", type_of(option), said, described]


def heading(title: str) -> str:
    """Return the heading of a table."""
    return f"## {title if title.startswith('(') else f'`{title}`'}"


def key_row(
    name: str, option: dict[str, Any], definitions: dict[str, Any], *, default: Any, listed: list[str]
) -> list[str]:
    """Return the cells of one key; ``listed`` are the names that it takes, where folders of templates say them."""
    described = option.get("description") or definitions[option["$ref"].rpartition("/")[2]]["description"]
    examples = [toml(example) for example in option.get("examples", listed[-1:])]
    return [
        f"`{name}`",
        type_of(option),
        option.get("x-unit", NONE),
        NONE if default is None else f"`{toml(default)}`",
        ", ".join(f"`{example}`" for example in examples) or ("its own table" if has_table(option) else NONE),
        described,
    ]


def has_table(option: dict[str, Any]) -> bool:
    """Return whether a key is a table that has a section of its own, or several of them under names of the user's."""
    return "$ref" in option or "$ref" in option.get("additionalProperties", {})


def type_of(option: dict[str, Any]) -> str:
    """Return a key's type in TOML's words."""
    if COMPOSE in option:
        return "as in Compose"
    if option.get("$ref", "").endswith("/EnvTable"):
        return "variable"
    if "enum" in option:
        return " or ".join(f"`{toml(choice)}`" for choice in option["enum"])
    if "anyOf" in option:
        return " or ".join(type_of(choice) for choice in option["anyOf"])
    if option.get("type") == "array":
        return f"list of {type_of(option['items'])}"
    words = {"string": "string", "integer": "integer", "number": "float", "boolean": "boolean"}
    return words.get(option.get("type", ""), "table")
