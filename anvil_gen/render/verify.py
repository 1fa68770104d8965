"""The check that a rendered tree holds the values of its stack, key by key, whatever the templates do.

Every file of a data syntax is parsed, and every compose file compared with the values that it was rendered from. Other
syntaxes (HAProxy's configuration and maps, Dockerfiles) have no parser here: what guards them is that each value is
quoted, and that the template lint refuses what could avoid the quoting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from anvil_gen.diagnostics import InternalError
from anvil_gen.render.renderer import RenderedFile, Renderer
from anvil_gen.render.syntaxes import parse
from anvil_gen.render.verify_service import expected_root, expected_service, first_difference
from anvil_gen.values import address


def verify(renderer: Renderer, files: Mapping[str, str], rendered: Iterable[RenderedFile]) -> dict[str, Any]:
    """Return the data of a tree's files by path, once they are known to match the model.

    Args:
        renderer: what made the files.
        files: the texts of the whole tree, by path.
        rendered: what those files were made from that are no copies.

    Raises:
        InternalError: a file does not parse, or does not match the inventory.
        DiagnosticError: likewise, where a user's template took part.
    """
    data: dict[str, Any] = dict(files)
    for file in rendered:
        try:
            data[file.path] = parse(files[file.path], file.path)
        except InternalError as error:
            raise renderer.diagnostic(file, str(error)) from None
        expected = _expected(renderer, file)
        key = first_difference(data[file.path], expected) if expected is not None else None
        if key is not None:
            place = address(key) or "its top level"
            raise renderer.diagnostic(file, f"{file.path} does not match the inventory at {place}")
    return data


def _expected(renderer: Renderer, file: RenderedFile) -> dict[str, Any] | None:
    """Return what a file must hold of its model; None for a file of which only the syntax is checked."""
    stack, mode = file.context["stack"], file.context["mode"]
    if file.service_kind:
        experiment = file.context.get("experiment")
        project = experiment.project if experiment is not None else stack.project
        model = file.context[file.service_kind]
        return {"name": project, **expected_service(renderer.catalog, file.service_kind, model)}
    return expected_root(stack, mode) if file.path == mode.root_file else None
