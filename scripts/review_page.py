"""The page of ten typical edits, each with its plan: made from the example with four GPUs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import SequenceMatcher, unified_diff
from pathlib import Path

import click

from anvil_gen.cli.views.plan import plan_lines
from anvil_gen.deploy.deploy_tree import FileChange
from anvil_gen.deploy.diff_text import diff_text
from anvil_gen.deploy.pipeline import Generator, generator
from anvil_gen.review.against_ref import file_changes
from anvil_gen.review.causes import Elsewhere, with_causes
from anvil_gen.review.consequence import compose, service_changes
from anvil_gen.review.host_plan import HostPlan, document, host_plan, inputs
from anvil_gen.review.toml_edits import edits

HOST = Path("hosts/lab-quad.toml")
INTRODUCTION = """# Review

`anvil-gen plan` shows what a change does to each service of a host, and the line that is its cause. It writes nothing,
and exits 2 if anything changes.

    anvil-gen plan lab-quad                        # what a render would change
    anvil-gen plan --all                           # what a new version of anvil-gen changes
    anvil-gen plan --all --against origin/main     # what a branch changes; needs no checkout
    anvil-gen plan --all --against origin/main --format markdown    # the same, as the comment of a pull request
    anvil-gen plan lab-quad --against live         # what the next `up` does to the containers

What a service's consequence means:

| consequence | at the next `docker compose up -d` |
| --- | --- |
| recreate | the container is replaced, and the service is away until the new one is ready |
| reload | the router reads its new routes without a restart: no request is lost |
| start | a container is created |
| stop | it has left the mode; its container runs until `anvil-gen up` or `docker compose up -d --remove-orphans` |
| none until pulled or rebuilt | nothing, until `docker compose pull` or `build` |
| none | nothing |

Where `up --wait` has started a service from here before, the plan says how long that took until it was ready, and else
how long its health check allows. What happens is decided by the rendered files alone, without Docker. `--verify` asks
Docker Compose as well, by the hashes that it compares containers with (`docker compose config --hash`), and exits 1
where it would do something else.

`render`, `up` and `status` print services in the same lines, symbols and words, with the causes: what a render changes,
what was done (`recreated` for `recreate`), and what the next `up` does about a drift.

A cause may be elsewhere: in a lock, in another host of `[router] hosts`, in the fleet's own data of engines, or in
another version of anvil-gen. A table with another name is told as renamed, with what else of it differs.

An edit that changes no file, such as a default that is now written, is listed as such: it may be a mistake. Where an
inventory has only other comments, that is said instead.

Where the image of a tier becomes another release of its engine, `plan` also lists what that changes for the flags that
the tier gives, the flags that are gone, and the engine's defaults of those that it does not give.

Below that, `plan` says what of a new or changed service is new and must not be overlooked: that it is privileged, has
the Docker socket, devices or paths of the host, more capabilities or fewer confinements, shares a namespace of the host
or of another container, or listens beyond loopback. What no service of the host had before is in bold.

Against a git ref, `plan` also says which names of models clients can ask the router for no longer, or get another tier
by. The comment of a pull request has the warnings that are new as well. Where that ref has another version of
anvil-gen, the files that are committed there are compared, so that the pull request of an upgrade shows what it does.

`--format json` prints the same for programs: `{"format": 1, "hosts": [{"host", "services": [{"service",
"consequence", "changes": [{"address", "before", "after", "cause": {"file", "line", "key"}}], "exposures": [{"what",
"value"}], "notes"}], "names": [{"name", "before", "after", "modes"}], "without_effect": [{"file", "line", "key"}]}]}`;
what is empty may be left out. `--format github` prints annotations for the lines that are causes. `--format markdown`
begins with a marker, so that a comment can be replaced, and is always short enough for one. No format has values of
secrets.

`--untrusted`, of `plan` and `render`, is for changes of strangers: it refuses templates next to `hosts/`, since they
are programs, and reads nothing outside the repository.

`anvil-gen explain` shows where a single value comes from, and where an option of the inventory goes to:

    anvil-gen explain lab-quad 'tiers/chat.yml:services.chat.command[4]'    # or by its line: tiers/chat.yml:20
    anvil-gen explain lab-quad chat.context_length

Its answer is tried, like the causes in a plan: the host is rendered with another value in the place of each line that
could be a cause, of the inventory, a lock, another host or the data of engines and routers, and compared.

## Pull requests on GitHub

`anvil-gen plan --all --pull-request`, in a workflow that `pull_request` starts, shows the changes at the lines that are
causes, in the job's summary, and as one comment, which it replaces when the pull request changes. A fork's workflow may
write no comment: it gets the summary, and nothing of it is trusted. The workflow of a fleet that `init` made does this;
in any other repository the action does it, and checks that rendered files match the inventories:

    permissions: { contents: read, pull-requests: write }
    steps:
      - uses: actions/checkout@v5
        with: { fetch-depth: 2 }
      - uses: OWNER/anvil-gen@VERSION    # this repository's owner, and a tag of it
        with: { requirements: requirements.txt }    # the fleet's pin; of a fork, that of its base

For commits there is a hook of pre-commit, `anvil-gen-render`: `repo:` is this repository, `rev:` the version.

## Renovate

The `renovate.json` of a fleet proposes newer tags of images and commits of models in `hosts/*.toml`, and what tags and
branches in `locks/*.toml` mean now. A new tag of a pinned image needs `anvil-gen pin HOST` on the branch.

Renovate cannot render, so its pull requests fail the check until somebody runs `make render` on their branch. The last
job of the fleet's workflow does that, on branches of Renovate alone; it is commented out. It needs a GitHub App with
write access, since a push with the workflow's own token starts no checks. The author of its commits is already in
`gitIgnoredAuthors` of `renovate.json`: without that, Renovate would leave a branch alone that somebody else commits to.

## Ten edits

Ten typical edits of [hosts/lab-quad.toml](../hosts/lab-quad.toml) follow: what is edited, what `plan` says, and the
rendered difference."""
# What is edited -> texts before and after.
EDITS: dict[str, list[tuple[str, str]]] = {
    "A new tier": [
        (
            "# Only in the mode",
            '[tiers.small]\nengine = "llamacpp"\nmodel = { file = "qwen3-0.6b-q8_0.gguf" }\nport = 30005\n\n'
            "# Only in the mode",
        )
    ],
    "Another model": [('{ repo = "BAAI/bge-m3" }', '{ repo = "BAAI/bge-large-en-v1.5" }')],
    "A shorter context": [("context_length = 65536", "context_length = 32768")],
    "Another image": [('[tiers.embed]\nengine = "tei"', '[tiers.embed]\nengine = "tei"\nimage = "example.org/tei:1"')],
    "Another GPU": [
        ('gpu_memory = "18GiB"', 'gpu_memory = "16GiB"'),
        ('task = "rerank"\ngpus = ["d"]', 'task = "rerank"\ngpus = ["c"]'),
    ],
    "Another port": [("port = 30001", "port = 30011")],
    "An alias": [('aliases.default = "chat"', 'aliases.default = "writer"')],
    "A flag": [('flags.tool-call-parser = "hermes"', 'flags.tool-call-parser = "hermes"\nflags.seed = 7')],
    "A tier gets another name": [("[tiers.rerank]", "[tiers.ranker]")],
    "A tier is removed": [
        (
            '[tiers.rerank]\nengine = "tei"\ntask = "rerank"\ngpus = ["d"]\n'
            'model = { repo = "BAAI/bge-reranker-v2-m3" }\nserved_name = "bge-reranker"\nport = 30003\n'
            'gpu_memory = "4GiB"\n\n',
            "",
        )
    ],
}


def review_page(repository: Path) -> Iterator[str]:
    """Yield the page's paragraphs."""
    here = Path.cwd()
    os.chdir(repository)  # causes name files as a person in the repository sees them
    try:
        made = generator()
        text = HOST.read_text("utf-8")
        yield INTRODUCTION
        yield from _sizes(made, text)
        for title, changes in EDITS.items():
            yield f"\n### {title}\n"
            yield from _section(made, text, edited(text, changes))
    finally:
        os.chdir(here)


def edited(text: str, changes: list[tuple[str, str]]) -> str:
    """Return an inventory with an edit of `EDITS`."""
    for before, after in changes:
        if before not in text:
            raise ValueError(f"{HOST} has no {before!r}")
        text = text.replace(before, after, 1)
    return text


SIZES = """
How much of the compose files each of them changes, besides whole files: the values that are others afterwards, each of
which takes a line at least, and the lines that are others. The router's files are left out.

| edit | values | lines |
| --- | --- | --- |"""


def _sizes(made: Generator, text: str) -> Iterator[str]:
    yield SIZES
    for title, changes in EDITS.items():
        plan = planned(made, text, edited(text, changes))
        values, lines = sizes(plan)
        yield f"| {title} | {values} | {lines} |"


def sizes(plan: HostPlan) -> tuple[int, int]:
    """Return how many values of tiers and services change, and how many lines of their files."""
    own = [change for one in plan.services for change in one.changes if not _is_of_router(plan, one.service)]
    files = [one for one in plan.files if one.action == "update" and one.path.startswith(("tiers/", "services/"))]
    return sum(len(one.address) > 2 for one in own), sum(changed_lines(one) for one in files)


def _is_of_router(plan: HostPlan, service: str) -> bool:
    router = plan.stack.router if plan.stack is not None else None
    return router is not None and service == router.service


def changed_lines(change: FileChange) -> int:
    """Return how many lines of a file are others: one that is written otherwise counts once."""
    old, new = ((text or "").splitlines() for text in (change.before, change.after))
    found = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return sum(max(i2 - i1, j2 - j1) for tag, i1, i2, j1, j2 in found if tag != "equal")


def _section(made: Generator, before: str, after: str) -> Iterator[str]:
    old, new = (text.splitlines(keepends=True) for text in (before, after))
    yield _block("diff", "".join(unified_diff(old, new, f"a/{HOST.as_posix()}", f"b/{HOST.as_posix()}", n=1)))
    plan = planned(made, before, after)
    yield _block("text", "".join(f"{click.unstyle(line)}\n" for line in plan_lines(plan)))
    shown = [one for one in plan.files if one.action == "update" and one.path.endswith(".yml") and "/" in one.path]
    shown = [one for one in shown if not one.path.startswith("router/")]
    if shown:
        yield _block("diff", "".join(map(diff_text, shown)))
    others = ", ".join(f"`{one.path}`" for one in plan.files if one not in shown)
    if others:
        yield f"Also written or removed: {others}."


def planned(made: Generator, before: str, after: str) -> HostPlan:
    """Return the plan of an edit."""
    old, new = (made.render(HOST, text=text) for text in (before, after))
    services = service_changes(compose(old.tree), compose(new.tree))
    asked = inputs(new, made, tuple(edits(document(old).data, document(new).data)), Elsewhere())
    return host_plan(new, with_causes(services, asked), tuple(file_changes(old.tree, new.tree)), is_edited=True)


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text}```\n"
