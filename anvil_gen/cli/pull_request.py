"""The ``--pull-request`` half of `plan`: what a workflow of GitHub tells the reviewers of a pull request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from anvil_gen.cli.views.diagnostics import show_diagnostics
from anvil_gen.cli.views.plan import show_annotations, show_error_annotations
from anvil_gen.cli.views.plan_markdown import MARKER, comment, errors_comment
from anvil_gen.diagnostics import DiagnosticError
from anvil_gen.review.host_plan import HostPlan
from anvil_gen.review.pull_request import Comments, PullRequest


def plan_in_workflow(
    planned: Callable[[], list[HostPlan]], pull: PullRequest, environment: Mapping[str, str]
) -> list[HostPlan]:
    """Return the plans, or raise what is wrong, once the pull request has either: at its lines and as a comment."""
    try:
        plans = planned()
    except DiagnosticError as error:
        show_error_annotations(error.diagnostics)
        _publish(errors_comment(error.diagnostics), pull, environment, is_needed=True)
        raise
    show_annotations(plans)
    _publish(comment(plans), pull, environment, is_needed=any(plan.is_told for plan in plans))
    return plans


def _publish(text: str, pull: PullRequest, environment: Mapping[str, str], *, is_needed: bool) -> None:
    """Write the job's summary, and the comment: a workflow of a fork may write none."""
    summary = environment.get("GITHUB_STEP_SUMMARY")
    if summary:
        with Path(summary).open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{text}\n")
    if pull.is_of_a_fork:
        return
    try:
        Comments(pull, environment).keep(text, marker=MARKER, is_needed=is_needed)
    except DiagnosticError as error:  # the summary has it, and the change is none the worse
        show_diagnostics(error.diagnostics, as_json=False)
        show_error_annotations(error.diagnostics)
