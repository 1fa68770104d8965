"""``anvil-gen experiment up``: start a model in the slot."""

from __future__ import annotations

from pathlib import Path

import click

from anvil_gen.cli import options
from anvil_gen.cli.host_command import HostCommand
from anvil_gen.cli.views.diagnostics import show_diagnostics
from anvil_gen.cli.views.experiment import held_gpu, show_started
from anvil_gen.diagnostics import Diagnostic, ExitCode
from anvil_gen.operate.experiment.slot import SERVICE, Request, Slot, open_slot, require_current, trial_of
from anvil_gen.operate.experiment.trial import start, use_of_gpu
from anvil_gen.operate.gpu_usage import share_mib


class _Command(HostCommand):
    """A command whose usage errors explain where engine flags go."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            where = "Engine flags go after --, for example: anvil-gen experiment up HOST MODEL -- --flag"
            raise click.UsageError(f"{error.format_message()}\n{where}", ctx) from None


@click.command("up", cls=_Command)
@options.host
@click.argument("model")
@click.argument("flags", nargs=-1, metavar="[-- FLAG...]")
@click.option(
    "--gpu",
    metavar="NAME",
    help="GPU of the inventory to use (default: the slot's).",
    shell_complete=options.completing("gpus"),
)
@click.option(
    "--port",
    metavar="NUMBER",
    type=click.IntRange(1, 65535),
    help="Port, in the container and on the host (default: the slot's).",
)
@click.option("--served-name", metavar="NAME", help="Model name that clients use (default: the slot's).")
@options.as_json
def command(
    *,
    host: str,
    model: str,
    flags: tuple[str, ...],
    gpu: str | None,
    port: int | None,
    served_name: str | None,
    as_json: bool,
) -> ExitCode:
    """Start a Hugging Face Hub model in the experiment slot.

    Runs `docker compose -f docker-compose.experiment.yml up -d` with MODEL, SERVED_NAME, PORT, GPU_UUID and
    EXTRA_ARGS set. Arguments after -- are passed to the engine unchanged. Tiers are not touched: those that hold the
    GPU are listed, with the command that frees it.

    \b
    Examples:
      anvil-gen experiment up fakoli-dark openai/gpt-oss-20b
      anvil-gen experiment up fakoli-dark org/name --gpu pro6000 --served-name coder -- --max-model-len 8192
    """
    slot = open_slot(host, Path.cwd())
    warning = require_current(slot)
    trial = trial_of(slot, Request(model=model, gpu=gpu, port=port, served_name=served_name, flags=flags))
    use = use_of_gpu(slot, trial)
    needed = share_mib(slot.experiment.share, trial.gpu) if trial.gpu is not None else None
    warnings = [diagnostic for diagnostic in (warning, held_gpu(slot.host, use, needed)) if diagnostic is not None]
    show_diagnostics(warnings, as_json=as_json)
    started = start(slot, trial)
    diagnostics = _causes(slot) if started.code != 0 else []
    show_started(started, use, [*warnings, *diagnostics], as_json=as_json)
    if not as_json:
        show_diagnostics(diagnostics, as_json=False)
    return ExitCode.OK if started.code == 0 else ExitCode.ERROR


def _causes(slot: Slot) -> list[Diagnostic]:
    """Return which of the slot's requirements are missing: its volumes, folders and image."""
    from anvil_gen.operate.doctor.context import DoctorContext  # noqa: PLC0415
    from anvil_gen.operate.doctor.diagnose import causes  # noqa: PLC0415  only a failure needs it

    deployment = slot.deployment
    return causes(DoctorContext(deployment, deployment.stack.modes[0], [SERVICE], with_slot=True))
