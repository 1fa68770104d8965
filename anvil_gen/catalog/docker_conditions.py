"""What `docker info` says of a host, and what follows from it: `templates/docker.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from anvil_gen.catalog.catalog import Catalog, decoded
from anvil_gen.catalog.template_tree import DOCKER_FILE
from anvil_gen.diagnostic_codes import SUMMARIES
from anvil_gen.diagnostics import Severity
from anvil_gen.inventory.toml_file import Document
from anvil_gen.values import KeyPath


class Condition(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Something that keeps services from running on a host; all that it names has to hold."""

    code: Annotated[str, Meta(description="Kind of the diagnostic.")]
    trouble: Annotated[str, Meta(description="What people see of it.")]
    detail: Annotated[str, Meta(description="What is wrong.")]
    remedy: Annotated[str, Meta(description="What to do, with commands; `{inventory}` is its path.")]
    source: Annotated[str, Meta(description="Where it is known from.")]
    severity: Annotated[Severity, Meta(description="Whether a service cannot run, or may not.")] = "error"
    security_option: Annotated[str, Meta(description="A name among `SecurityOptions`.")] = ""
    engine: Annotated[str, Meta(description="A component of the server, as `docker version` lists them.")] = ""
    kernel: Annotated[str, Meta(description="Found in `KernelVersion`, as a regular expression.")] = ""
    cgroup_driver: Annotated[str, Meta(description="`CgroupDriver`.")] = ""
    cdi: Annotated[str, Meta(description="Kind of a CDI device among `DiscoveredDevices`.")] = ""
    no_runtime: Annotated[str, Meta(description="A name that is not among `Runtimes`.")] = ""
    present: Annotated[str, Meta(description="A path that the host has.")] = ""
    missing: Annotated[str, Meta(description="A path that the host has not.")] = ""
    gpus: Annotated[str, Meta(description='Vendor of GPUs that services hold, `"any"`, or `"none"`.')] = ""
    unless: Annotated[Mapping[str, Any], Meta(description="Keys of `[host]` whose values mend it.")] = {}
    init: Annotated[bool, Meta(description="`init` writes these keys where the rest holds.")] = False
    unless_file: Annotated[str, Meta(description="File of the host that may mend it.")] = ""
    unless_pattern: Annotated[str, Meta(description="Found in that file then, as a regular expression.")] = ""


class _Conditions(Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    condition: tuple[Condition, ...] = ()


def docker_conditions(catalog: Catalog) -> tuple[Condition, ...]:
    """Return all that is known.

    Raises:
        DiagnosticError: the data file has errors.
    """
    found = catalog.find(DOCKER_FILE)
    if found is None:
        return ()
    return decoded(Document(found, display=f"templates/{DOCKER_FILE}"), _Conditions, _semantic_errors).condition


def _semantic_errors(data: Any) -> Iterator[tuple[KeyPath, str]]:
    """Yield codes that are none, and patterns that do not compile."""
    for number, condition in enumerate(data.condition):
        if condition.code not in SUMMARIES:
            yield ("condition", number, "code"), "no diagnostic is of this kind"
        for key in ("kernel", "unless_pattern"):
            try:
                re.compile(getattr(condition, key))
            except re.error as error:
                yield ("condition", number, key), f"it is no regular expression: {error}"
