"""Import an engine's own modules where nothing else that they need is installed.

A finder at the end of `sys.meta_path` answers for each package that is missing with stub modules, whose every name is a
class that can be called, subclassed, subscripted and used as a decorator. Modules of the engine itself are real; one of
them whose body fails is recorded, so that nothing is lost without notice.
"""

from __future__ import annotations

import abc
import importlib.abc
import importlib.machinery
import importlib.metadata
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any

VERSION = "99.0.0"
"""The version of every package that is not there: above whatever an engine demands."""


# What an engine computes with while it is imported.
_VALUES: dict[str, Any] = {
    "__class_validators__": [],
    "__func__": lambda *_: None,
    "backend": "cuda",
    "dumps": lambda *_: b"",
    "ns": "library",
    "get_device_capability": lambda *_: (9, 0),
}
Patches = Mapping[str, Callable[[ModuleType], None]]


class _StubMeta(abc.ABCMeta):
    """Makes each attribute of a stub a stub."""

    def __getattr__(cls, name: str) -> Any:
        if name in _VALUES:
            return _VALUES[name]
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        stub = _stub(f"{cls.__qualname__}.{name}")
        setattr(cls, name, stub)
        return stub

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        if not cls.__dict__.get("_is_stub"):
            return super().__call__(*arguments, **named)
        # As a decorator, it leaves what it decorates.
        if len(arguments) == 1 and not named and isinstance(arguments[0], FunctionType | type):
            return arguments[0]
        if "_result" not in cls.__dict__:
            type.__setattr__(cls, "_result", _stub(f"{cls.__qualname__}()"))
        return cls.__dict__["_result"]

    def __getitem__(cls, _item: Any) -> Any:
        return cls

    def __setitem__(cls, _key: Any, _value: Any) -> None:
        pass

    def __delitem__(cls, _key: Any) -> None:
        pass

    def register(cls, *_arguments: Any, **_named: Any) -> Any:
        return lambda decorated: decorated

    def __iter__(cls) -> Iterator[Any]:
        return iter(())

    def __len__(cls) -> int:
        return 0

    def __contains__(cls, _item: object) -> bool:
        return False

    def __bool__(cls) -> bool:
        return True

    def __or__(cls, other: Any) -> Any:
        return cls if isinstance(other, _StubMeta) else super().__or__(other)

    def __enter__(cls) -> Any:
        return cls

    def __exit__(cls, *_error: object) -> None:
        return None

    def __int__(cls) -> int:
        return 1

    def __float__(cls) -> float:
        return 1.0

    def __index__(cls) -> int:
        return 1

    def __lt__(cls, _other: Any) -> bool:
        return False

    __le__ = __gt__ = __ge__ = __lt__

    def __add__(cls, _other: Any) -> Any:
        return cls

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __floordiv__ = __add__
    __rfloordiv__ = __mod__ = __pow__ = __rpow__ = __and__ = __lshift__ = __rshift__ = __neg__ = __add__


def _stub(name: str) -> _StubMeta:
    return _StubMeta(
        name.rpartition(".")[2] or name,
        (),
        {
            "_is_stub": True,
            "__qualname__": name,
            "__module__": "stub",
            "__version__": VERSION,
            "__init__": lambda self, *_arguments, **_named: None,
            "__getattr__": _missing_attribute,
            "__init_subclass__": classmethod(lambda cls, **_named: None),
            "__get_pydantic_core_schema__": classmethod(_any_schema),
        },
    )


def _missing_attribute(self: object, name: str) -> Any:
    if name.startswith("__") and name.endswith("__"):
        raise AttributeError(name)
    return getattr(type(self), name)


def _any_schema(_cls: type, _source: Any, _handler: Any) -> Any:
    from pydantic_core import core_schema  # noqa: PLC0415  only where the engine uses pydantic

    return core_schema.any_schema()


class StubModule(ModuleType):
    """A module that has every name."""

    __version__ = VERSION
    __file__ = "/absent/__init__.py"
    __all__: Sequence[str] = ()

    def __getattr__(self, name: str) -> Any:
        """Return a stub of that name, always the same."""
        if name in _VALUES:
            return _VALUES[name]
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        stub = _stub(name)
        setattr(self, name, stub)
        return stub


class _StubLoader(importlib.abc.Loader):
    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = StubModule(spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module empty: its names come when they are asked for."""


class StubFinder(importlib.abc.MetaPathFinder):
    """Answers for every module that nothing else has found."""

    def __init__(self, engine: str) -> None:
        """Answer also for modules of ``engine`` that are not in its source, as compiled ones, and list them."""
        self.engine = engine
        self.missing: list[str] = []
        self.stubbed: set[str] = set()

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Return a spec of a stub module; none for a part of a package that is installed."""
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:  # of another platform
            return None
        if top not in (name, self.engine) and not isinstance(sys.modules.get(top), StubModule):
            return None
        if top == self.engine:
            self.missing.append(name)
        self.stubbed.add(top)
        return importlib.machinery.ModuleSpec(name, _StubLoader(), is_package=True)


class _WatchedLoader(importlib.abc.Loader):
    """Loads a module of the engine, and records a body that fails."""

    def __init__(self, loader: Any, failed: dict[str, str], patches: Patches) -> None:
        self.loader = loader
        self.failed = failed
        self.patches = patches

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        try:
            self.loader.exec_module(module)
            self.patches.get(module.__name__, _as_it_is)(module)
        except BaseException as error:
            self.failed[module.__name__] = repr(error)
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)


class EngineFinder(importlib.abc.MetaPathFinder):
    """Finds the engine's own modules, to record those whose body fails."""

    def __init__(self, engine: str, patches: Patches) -> None:
        """Watch the modules of ``engine``."""
        self.engine = engine
        self.patches = patches
        self.failed: dict[str, str] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Return the usual spec, with a loader that watches."""
        if name.partition(".")[0] != self.engine:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _WatchedLoader(spec.loader, self.failed, self.patches)
        return spec


def _as_it_is(_module: ModuleType) -> None:
    pass


def install(engine: str, patches: Patches) -> tuple[EngineFinder, StubFinder]:
    """Watch the engine's modules, and answer for all that is missing; a patch follows the body of its module."""
    watch, stubs = EngineFinder(engine, patches), StubFinder(engine)
    sys.meta_path.insert(0, watch)
    sys.meta_path.append(stubs)
    real = importlib.metadata.version

    def version(distribution_name: str) -> str:
        try:
            return real(distribution_name)
        except importlib.metadata.PackageNotFoundError:
            return VERSION

    importlib.metadata.version = version
    return watch, stubs
