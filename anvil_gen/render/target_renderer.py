"""From a target's view of a host to the texts of its files, by the templates in the target's `tree/`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from anvil_gen.render.jinja_env import TEMPLATE_ERRORS, TemplateEnvironment
from anvil_gen.render.renderer import Renderer
from anvil_gen.render.target_model import TargetView
from anvil_gen.resolve.model import Stack
from anvil_gen.resolve.target import TargetRequest


def target_folder(name: str) -> str:
    """Return the folder of a target's templates."""
    return f"targets/{name}/tree"


def shared_folder(name: str) -> str:
    """Return the folder of the templates of what several hosts share."""
    return f"targets/{name}/shared"


def render_shared(renderer: Renderer, stack: Stack, name: str, syntax: str) -> dict[str, str]:
    """Return the texts of what several hosts share, whose first one has the stack.

    Raises:
        DiagnosticError: a template has an error.
    """
    folder, environment = shared_folder(name), renderer.environment(syntax)
    return {
        one.removesuffix(".j2"): _text(environment, f"{folder}/{one}", {"stack": stack})
        for one in renderer.catalog.below(folder)
    }


def _text(environment: TemplateEnvironment, template: str, context: Mapping[str, Any]) -> str:
    try:
        return environment.get_template(template).render(context)
    except TEMPLATE_ERRORS as error:
        raise environment.diagnostic(error, template) from None


def render_target(renderer: Renderer, stack: Stack, request: TargetRequest, view: TargetView) -> dict[str, str]:
    """Return the texts of a target's files by path; one that has no more than white space is left out.

    A template with `{tier}` and the like in its path makes a file for each.

    Raises:
        DiagnosticError: a template has an error.
    """
    folder, files = target_folder(request.name), dict[str, str]()
    environment = renderer.environment(request.data.syntax)
    common = {"stack": stack, "target": view, "options": request.options, "mode": view.modes[0]}
    for name in renderer.catalog.below(folder):
        for path, context in _places(name.removesuffix(".j2").replace("{project}", stack.project), view):
            text = _text(environment, f"{folder}/{name}", {**common, **context})
            if text.strip():
                files[path] = text
    if request.data.copies_files:
        files |= {file.path: file.text for one in view.workloads for file in one.files}
    return files


def _places(path: str, view: TargetView) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the paths of the files that a template makes, each with what it is about."""
    found = next((name for name in PLACEHOLDERS if f"{{{name}}}" in path), None)
    if found is None:
        yield path, {}
        return
    for name, context in PLACEHOLDERS[found](view):
        yield path.replace(f"{{{found}}}", name), context


def _suffixed(view: TargetView, name: str, usual: str) -> str:
    """Return the project's name, with another one behind it that is not the usual one."""
    return view.project if name == usual else f"{view.project}-{name}"


PLACEHOLDERS: Mapping[str, Callable[[TargetView], Iterator[tuple[str, Mapping[str, Any]]]]] = {
    "tier": lambda view: ((one.name, {"workload": one}) for one in view.tiers),
    "container": lambda view: (
        (one.unit, {"workload": workload, "container": one})
        for workload in view.workloads
        for one in workload.containers
    ),
    "network": lambda view: ((_suffixed(view, name, "default"), {"network": name}) for name in view.networks),
    "volume": lambda view: ((store.name, {"store": store}) for store in view.stores if not store.path),
    "target": lambda view: ((_suffixed(view, mode.name, ""), {"mode": mode}) for mode in view.modes),
    "mode": lambda view: ((mode.name, {"mode": mode}) for mode in view.modes if mode.name),
}
"""What stands in the path of a template -> for each of which it makes a file."""
