"""Docker on another host, which cannot mount files of this one."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from anvil_gen.deploy.pipeline import generator
from anvil_gen.diagnostics import Diagnostic, join_words
from anvil_gen.machine.same_files import differing_files
from anvil_gen.machine.ssh import over_ssh
from anvil_gen.operate.deployment import Deployment
from anvil_gen.operate.doctor.check import with_commands
from anvil_gen.operate.doctor.requirements import Requirements

_SSH = "ssh://"


def unmountable(deployment: Deployment, requirements: Iterable[Requirements], endpoint: str) -> Diagnostic | None:
    """Return why services cannot run with Docker on another host; None if they mount no generated file."""
    files: dict[str, str] = {}
    for one in requirements:  # the first of two that share a folder
        files = {bind.source: one.name for bind in one.binds if bind.generated} | files
    if not files:
        return None
    if same_tree(deployment, endpoint):
        return None
    mounts = ", ".join(f"{path} (by {name})" for path, name in sorted(files.items()))
    return Diagnostic(
        code="generated-files-cannot-be-mounted-on-another-machine",
        detail=f"Docker runs at {endpoint}, but these files are on this host: {mounts}\n"
        f"Services without such files can be started from here: {_others(requirements)}",
        remedy=with_commands("copy the rendered folder there and run it there", *_way(deployment, endpoint)),
    )


def same_tree(deployment: Deployment, endpoint: str) -> bool:
    """Tell whether the machine of an endpoint has the rendered files at the same path, so that it can mount them."""
    run = over_ssh(endpoint)
    folder = deployment.project.folder.as_posix()
    return run is not None and not differing_files(run, folder, generator().render(deployment.host.path).tree.files)


def _others(requirements: Iterable[Requirements]) -> str:
    names = [one.name for one in requirements if not any(bind.generated for bind in one.binds)]
    return join_words(names) or "none"


def _way(deployment: Deployment, endpoint: str) -> tuple[str, ...]:
    folder, name = deployment.project.folder, deployment.stack.host
    source = shlex.quote(f"{folder.as_posix()}/")
    if not endpoint.startswith(_SSH):
        return (f"rsync -a {source} HOST:{name}/", f"ssh HOST 'cd {name} && docker compose up -d'")
    there, _, port = endpoint.removeprefix(_SSH).partition("/")[0].partition(":")
    by = f" -e 'ssh -p {port}'" if port else ""
    login = f"ssh -p {port} {shlex.quote(there)}" if port else f"ssh {shlex.quote(there)}"
    return (
        f"rsync -a{by} {source} {shlex.quote(there)}:{name}/",
        f"{login} 'cd {name} && docker compose up -d'",
    )
