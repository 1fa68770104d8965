"""How programs reach what a host serves: addresses, model names, the key's variable; also in a client's own form."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable

from msgspec import Struct

from anvil_gen.catalog.catalog import Catalog
from anvil_gen.catalog.template_tree import CLIENTS
from anvil_gen.diagnostics import Diagnostic, DiagnosticError, InternalError, did_you_mean, join_words
from anvil_gen.inventory.env_references import env_reference
from anvil_gen.patterns import lazy_pattern
from anvil_gen.render.jinja_env import TEMPLATE_ERRORS, TemplateEnvironment
from anvil_gen.resolve.model import Mode, Router, Tier
from anvil_gen.resolve.options import ALL_ADDRESSES
from anvil_gen.values import ComposeText, canonical_flag

_QUESTION = "Say hello."
_API_BASE = "/v1"
"""Where the router has OpenAI's API, whichever kind it is."""
_EVERY = {"0.0.0.0": "127.0.0.1", "::": "::1", ALL_ADDRESSES: "127.0.0.1"}  # noqa: S104  compared, not bound
"""What is bound to every address, and at which one the host itself reaches it."""
_CLIENTS_OWN = "ROUTER_TOKEN"
"""The variable of a client's own in which it has its key, where the inventory names none."""
_VARIABLE = lazy_pattern("[A-Za-z_][A-Za-z0-9_]*")


class Name(Struct, frozen=True, kw_only=True):
    """A model name that a client may ask for, the tier that answers, and for what it is; ``hosts`` have it too."""

    name: str
    tier: str
    task: str
    hosts: tuple[str, ...] = ()

    @property
    def answering(self) -> str:
        """What answers: the tier, the hosts of the fleet that have the name too, or these alone."""
        own = [] if self.tier in self.hosts else [f"tier {self.tier}"]
        return ", ".join([*own, *(f"host {host}" for host in self.hosts)])


class Endpoint(Struct, frozen=True, kw_only=True):
    """An address with OpenAI's API. ``key`` is the variable that holds the key, never the key; None without one.

    ``open``: other hosts reach it too, and the inventory does not say by which address. ``by_digest``: only clients
    have their keys, and the variable is the client's own.
    """

    name: str
    base_url: str
    open: bool = False
    key: str | None
    by_digest: bool = False
    models: tuple[Name, ...]

    @property
    def first(self) -> Name:
        """The model of an example: one for chat, else for embeddings, else any."""
        ranks = {"chat": 0, "embedding": 1}
        return min(self.models, key=lambda model: ranks.get(model.task, len(ranks)))

    @property
    def model(self) -> str:
        """The name of the example's model."""
        return self.first.name

    @property
    def task(self) -> str:
        """What the example's model does."""
        return self.first.task

    @property
    def url(self) -> str:
        """Where the example's request goes."""
        paths = {"chat": "/chat/completions", "embedding": "/embeddings"}
        return self.base_url + paths.get(self.task, "/models")

    @property
    def body(self) -> str:
        """The example's request, as JSON."""
        asked = {"input": _QUESTION}
        if self.task == "chat":
            return json.dumps({"model": self.model, "messages": [{"role": "user", "content": _QUESTION}]})
        return json.dumps({"model": self.model, **asked})

    @property
    def authorization(self) -> ComposeText:
        """The header with the key, as a word of a shell, which puts the key in."""
        return ComposeText(f'"Authorization: Bearer ${{{_variable(self.key)}}}"')

    @property
    def key_word(self) -> str:
        """The key as a word of a shell; without one, what programs that want one are content with."""
        return ComposeText(f'"${{{_variable(self.key)}}}"') if self.key is not None else "none"


def _variable(name: str | None) -> str:
    if name is None or not _VARIABLE.fullmatch(name):
        raise InternalError(f"{name!r} is no variable of a shell")
    return name


def endpoints_of(host: str, mode: Mode, address: str | None = None) -> tuple[Endpoint, ...]:
    """Return where the models of a host's mode are reached: at its router, else at each tier.

    What is published on every address is reached at ``address``, that of the host for others; without one, at the
    host's own, as all else.

    Raises:
        DiagnosticError: nothing of it is published.
    """
    router = mode.router
    found = (
        (_of_router(host, router, address),)
        if router is not None
        else tuple(_of_tier(one, address) for one in mode.tiers if one.answers)
    )
    published = tuple(endpoint for endpoint in found if endpoint is not None and endpoint.models)
    if not published:
        what = "the router publishes" if router is not None else "the tiers publish"
        inside = (
            f"http://{router.service}:{router.port}{_API_BASE}" if router is not None else "http://<service>:<port>"
        )
        detail = f"{what} no port: only containers of the project reach it, at {inside}"
        raise DiagnosticError([Diagnostic(code="nothing-is-published", detail=detail, remedy='set "bind"')])
    return published


def _of_router(host: str, router: Router, address: str | None) -> Endpoint | None:
    scheme = "https" if router.limits.tls is not None else "http"
    base = _base(router.options.bind, router.port, scheme, address)
    models = tuple(
        Name(name=route.name, tier=route.tier, task=route.task, hosts=route.hosts) for route in router.routes
    )
    if base is None:
        return None
    unsaid = address is None and router.options.bind in _EVERY
    by_digest = router.clients != () and router.api_key_env is None
    key = _CLIENTS_OWN if by_digest else router.api_key_env
    return Endpoint(name=host, base_url=base + _API_BASE, open=unsaid, key=key, by_digest=by_digest, models=models)


def _of_tier(tier: Tier, address: str | None) -> Endpoint | None:
    base = _base(tier.options.bind, tier.port, "http", address)
    models = tuple(Name(name=name, tier=tier.name, task=tier.task) for name in tier.names or (tier.served_name,))
    if base is None:
        return None
    unsaid = address is None and tier.options.bind in _EVERY
    return Endpoint(name=tier.name, base_url=base + tier.api_base, open=unsaid, key=_own_key(tier), models=models)


def _own_key(tier: Tier) -> str | None:
    """Return the variable of the key that an engine itself asks for; None where it asks for none."""
    flags = {canonical_flag(flag): value for flag, value in tier.options.flags.items()}
    key = env_reference(flags.get("api-key"))
    return key.name if key is not None else None


def _base(bind: str | bool, port: int, scheme: str, address: str | None) -> str | None:
    """Return where something of the host is reached; None where nothing is published."""
    if not isinstance(bind, str) or not port:
        return None
    host = (address or _EVERY[bind]) if bind in _EVERY else bind
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def kinds(catalog: Catalog) -> dict[str, str]:
    """Return the clients that have a template, each with the template's path below the templates."""
    files = [file.name for root in reversed(catalog.roots) for file in sorted((root / CLIENTS).glob("*.j2"))]
    found = {name.split(".", 1)[0]: f"{CLIENTS}/{name}" for name in files}
    return dict(sorted(found.items()))


def text_for(catalog: Catalog, kind: str, host: str, endpoints: tuple[Endpoint, ...]) -> str:
    """Return what is to be pasted for one kind of client.

    Raises:
        DiagnosticError: there is no such kind, or its template has an error.
    """
    known = kinds(catalog)
    if kind not in known:
        detail = f'"{kind}" is not a known client (defined: {join_words(known)})'
        remedy = did_you_mean(kind, known) or f"name one of them, or add a template to templates/{CLIENTS}/"
        raise DiagnosticError([Diagnostic(code="unknown-client", detail=detail, remedy=remedy)])
    path = known[kind]
    suffix = path.removesuffix(".j2").rpartition(".")[2]
    environment = TemplateEnvironment(catalog, _QUOTES.get(suffix, _word), None)
    first = min(endpoints, key=lambda endpoint: (endpoint.task != "chat", endpoint.task != "embedding"))
    try:
        return environment.get_template(path).render(host=host, endpoints=endpoints, first=first)
    except TEMPLATE_ERRORS as error:
        raise environment.diagnostic(error, path) from None


def _word(value: object) -> str:
    """Return a word of a shell."""
    return value if isinstance(value, ComposeText) else shlex.quote(str(value))


def _json(value: object) -> str:
    """Return a string of JSON, which is one of YAML too."""
    text = json.dumps(str(value), ensure_ascii=False)
    return re.sub("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]", lambda match: f"\\u{ord(match[0]):04x}", text)


_QUOTES: dict[str, Callable[[object], str]] = {
    "py": lambda value: ascii(str(value)),
    "sh": _word,
    "json": _json,
    "yaml": _json,
}
"""Suffix of a client's template -> what turns a printed value into text of that form."""
