"""Proof that a rendered file says what the model says, whatever its template does.

The stack is rendered a second time with numbered harmless tokens in place of its texts. Both results are parsed; the
tokens' values are put into the second, as parsed data; then both must be equal. A value that changed the structure, was
quoted wrongly or was cut off shows as a difference. What a template left out shows by the model itself: each service is
compared with the `Service` that it was laid out from.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

from msgspec import Struct

from anvil_gen.diagnostics import InternalError
from anvil_gen.model import Interpolated, KeyPath, Mount, Options, Ready, Router, Service, Stack, Symbol, Text, address
from anvil_gen.overrides import load_yaml
from anvil_gen.quoting import comment, dollar, interpolated
from anvil_gen.render import EXPERIMENT_FILE, Renderer
from anvil_gen.templating import syntax_of

_KEYS_KEPT = frozenset({"override", "variables"})  # mappings whose keys are addresses: they are looked up, or merged


class Tokens:
    """Numbered stand-ins for texts. Equal texts have one token, so that templates may compare them."""

    def __init__(self, prefix: str = "zq") -> None:
        """Start with no token given out. ``prefix`` must stand in nothing that is rendered."""
        self._prefix = prefix
        self._pattern = re.compile(f"{prefix}[0-9]+qz")
        self._by_text: dict[tuple[bool, str], str] = {}
        self._texts: dict[str, tuple[bool, str]] = {}

    def put(self, value: Any, *, keys: bool = True) -> Any:
        """Return ``value`` with a token in place of every text in it; with ``keys``, also of mappings' keys."""
        if isinstance(value, Symbol):
            return value
        if isinstance(value, str):
            return self._token(isinstance(value, Ready), value) if value else value
        if isinstance(value, Interpolated):
            return self._token(True, interpolated(value))
        if isinstance(value, Options):
            return Options({})  # no template reads them: what they say stands in the model's own fields
        if isinstance(value, Struct):
            return type(value)(
                **{
                    name: self.put(getattr(value, name), keys=name not in _KEYS_KEPT)
                    for name in value.__struct_fields__
                }
            )
        if isinstance(value, tuple | list):
            return type(value)(self.put(item, keys=keys) for item in value)
        if isinstance(value, Mapping):
            return {self.put(key) if keys else key: self.put(item, keys=keys) for key, item in value.items()}
        return value

    def text(self, written: str, *, compose: bool) -> str:
        """Return a parsed text with the tokens' values in it; with ``compose``, as Compose interpolates them."""

        def value(match: re.Match[str]) -> str:
            ready, text = self._value(match[0])
            return dollar(text) if compose and not ready else text

        return self._pattern.sub(value, written)

    def line(self, written: str) -> str:
        """Return a line of a file without quotes with the tokens' values in it."""
        if written.startswith("#"):
            return self._pattern.sub(lambda match: comment(self._value(match[0])[1]), written)
        return self.text(written, compose=False)

    def data(self, parsed: Any, *, compose: bool) -> Any:
        """Return parsed data with the tokens' values in it. Keys are not interpolated."""
        if isinstance(parsed, str):
            return self.text(parsed, compose=compose)
        if isinstance(parsed, list):
            return [self.data(item, compose=compose) for item in parsed]
        if isinstance(parsed, dict):
            return {self.data(key, compose=False): self.data(item, compose=compose) for key, item in parsed.items()}
        return parsed

    def _value(self, token: str) -> tuple[bool, str]:
        found = self._texts.get(token)
        if found is None:
            raise InternalError(f"a template makes up a value: {token}")
        return found

    def _token(self, ready: bool, text: str) -> str:
        token = self._by_text.get((ready, text))
        if token is None:
            token = self._by_text[ready, text] = f"{self._prefix}{len(self._by_text)}qz"
            self._texts[token] = (ready, text)
        return token


def prove(renderer: Renderer, stack: Stack, files: Mapping[str, str], digests: Mapping[str, str]) -> dict[str, Any]:
    """Check rendered files against the stack that they were rendered from, and return their data by path.

    Raises:
        InternalError: a file does not say what the stack says.
        DiagnosticError: likewise, where a user's template took part.
    """
    tokens = Tokens(_unused_prefix(files))
    expected, _ = renderer.render(
        tokens.put(stack), digests={path: tokens.put(value) for path, value in digests.items()}
    )
    parsed: dict[str, Any] = {}
    if len(expected) != len(files):
        raise InternalError("the names of the rendered files depend on a value's text")
    for (path, text), with_tokens in zip(files.items(), expected.values(), strict=True):
        try:
            got, want = _both(path, text, with_tokens, tokens)
            _equal(path, got, want)
        except InternalError as error:
            raise renderer.fault(stack, path, str(error)) from None
        parsed[path] = got
    for path, key in _unsaid(renderer, stack, parsed):
        raise renderer.fault(stack, path, _difference_at(path, key))
    return parsed


def _unused_prefix(files: Mapping[str, str]) -> str:
    """Return a beginning for tokens that stands in no rendered file, so that no template can make one up."""
    texts = files.values()
    return next(prefix for prefix in (f"zq{'x' * more}" for more in count()) if not any(prefix in t for t in texts))


def _both(path: str, text: str, with_tokens: str, tokens: Tokens) -> tuple[Any, Any]:
    """Return what a rendered file says, and what its twin with tokens does."""
    syntax = syntax_of(path)
    if syntax == "raw":
        return text, tokens.text(with_tokens, compose=False)
    if syntax == "words":
        return text.split("\n"), [tokens.line(line) for line in with_tokens.split("\n")]
    return parse(text, path), tokens.data(parse(with_tokens, path), compose=syntax == "yaml")


def parse(text: str, path: str) -> Any:
    """Return the data of a rendered file.

    Raises:
        InternalError: the text is not of its syntax.
    """
    if syntax_of(path) != "toml":
        return load_yaml(text, path)
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InternalError(f"{path} does not parse: {error}") from None


def _form(text: Text | None) -> str | None:
    """Return a text as a parsed compose file has it."""
    if text is None or isinstance(text, Ready):
        return text
    return dollar(text) if isinstance(text, str) else interpolated(text)


def _environment(service: Service) -> dict[str, Any]:
    return {variable.name: _form(variable.value) for variable in service.environment}


def _mount(mount: Mount) -> dict[str, Any]:
    said = {
        "type": "volume" if mount.volume else "bind",
        "source": _form(mount.source),
        "target": _form(mount.target),
    }
    return {**said, "read_only": True} if mount.read_only and not mount.volume else said


def _health(service: Service) -> dict[str, Any] | None:
    health = service.health
    if health is None:
        return None
    return {
        "test": [_form(part) for part in health.test],
        "retries": health.retries,
        "interval": _form(health.interval),
    }


# Key of a service -> what the model says of it; None where it says nothing. A list stands as it is, of a mapping a
# template may add to the entries.
_SERVICE: dict[str, Callable[[Service], Any]] = {
    "container_name": lambda service: _form(service.container_name),
    "image": lambda service: _form(service.image),
    "restart": lambda service: _form(service.restart),
    "entrypoint": lambda service: [_form(part) for part in service.entrypoint],
    "command": lambda service: " ".join(service.words) or [_form(part) for part in service.command],
    "environment": _environment,
    "ports": lambda service: [_form(port.spec) for port in service.ports],
    "healthcheck": _health,
    "labels": lambda service: {name: _form(value) for name, value in service.labels},
}


def _unsaid(renderer: Renderer, stack: Stack, parsed: Mapping[str, Any]) -> Iterator[tuple[str, KeyPath]]:
    """Yield path and key of what the model says of a service and its file does not."""
    services = [(f"tiers/{tier.name}.yml", tier.service) for tier in stack.tiers]
    if stack.experiment is not None:
        services.append((EXPERIMENT_FILE, stack.experiment.service))
    for path, service in services:
        for key in _unsaid_keys(renderer, service, _service(parsed[path], service.name)):
            yield path, ("services", service.name, *key)
    for path, router in {mode.router_file: mode.router for mode in stack.modes}.items():
        if router is not None and path in parsed:
            for key in _unsaid_of_router(router, _service(parsed[path], router.service)):
                yield path, ("services", router.service, *key)
    for extra in stack.services:
        path = f"services/{extra.name}.yml"
        if _service(parsed[path], extra.name) is None or not _says(_service(parsed[path], extra.name), extra.mapping):
            yield path, ("services", extra.name)


def _service(data: Any, name: str) -> dict[str, Any] | None:
    services = data.get("services") if isinstance(data, dict) else None
    service = services.get(name) if isinstance(services, dict) else None
    return service if isinstance(service, dict) else None


def _unsaid_keys(renderer: Renderer, service: Service, said: dict[str, Any] | None) -> Iterator[KeyPath]:
    if said is None:
        yield ()
        return
    for key, expected in _SERVICE.items():
        want = expected(service)
        if key not in service.override and want is not None and not _says(said.get(key, type(want)()), want):
            yield (key,)
    if "volumes" not in service.override and not all(_among(said.get("volumes"), _mount(m)) for m in service.mounts):
        yield ("volumes",)
    if service.gpus is not None and "deploy" not in service.override:
        template = renderer.catalog.find(f"gpus/{service.gpus.vendor}/reservation.yml.j2")
        if template is not None and "device_ids" in template.read_text("utf-8"):
            place: KeyPath = ("deploy", "resources", "reservations", "devices")
            devices: Any = said
            for part in place:
                devices = devices.get(part) if isinstance(devices, dict) else None
            if not _among(devices, {"device_ids": [_form(uuid) for uuid in service.gpus.uuids]}):
                yield place
    if not _says(said, service.override):
        yield ()


def _unsaid_of_router(router: Router, said: dict[str, Any] | None) -> Iterator[KeyPath]:
    if said is None or not _says(said, router.override):
        yield ()
    elif "image" not in router.override:
        wrong = (
            said.get("image") != _form(router.image)
            if router.image is not None
            else not said.keys() & {"image", "build"}
        )
        if wrong:
            yield ("image",)


def _among(items: Any, wanted: Mapping[str, Any]) -> bool:
    return isinstance(items, list) and any(_says(item, wanted) for item in items)


def _says(got: Any, want: Any) -> bool:
    """Tell whether parsed data is what was wanted; a mapping may have more entries."""
    if isinstance(want, Mapping):
        return isinstance(got, dict) and all(key in got and _says(got[key], item) for key, item in want.items())
    if isinstance(want, list):
        return isinstance(got, list) and len(got) == len(want) and all(map(_says, got, want))
    return (got == want and isinstance(got, bool) == isinstance(want, bool)) or (got != got and want != want)  # noqa: PLR0124


def _equal(path: str, got: Any, want: Any) -> None:
    difference = _difference(got, want, ())
    if difference is not None:
        raise InternalError(_difference_at(path, difference))


def _difference_at(path: str, key: KeyPath) -> str:
    return f"{path} does not say what the model says, at {address(key) or 'its top'}"


def _difference(got: Any, want: Any, path: KeyPath) -> KeyPath | None:
    if type(got) is not type(want):
        return path
    if isinstance(got, dict):
        if got.keys() != want.keys():
            return path
        children: Any = ((key, got[key], want[key]) for key in got)
    elif isinstance(got, list):
        if len(got) != len(want):
            return path
        children = ((index, one, other) for index, (one, other) in enumerate(zip(got, want, strict=True)))
    else:
        return None if got == want else path
    for key, one, other in children:
        found = _difference(one, other, (*path, key))
        if found is not None:
            return found
    return None
