"""An engine's command line read backwards: flags as fields and as `flags`, and the words that are neither."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from anvil_gen.importing.engine_facts import EngineFacts
from anvil_gen.importing.shell_words import Word
from anvil_gen.importing.texts import fraction, has_variable, plain, typed, value_of, whole
from anvil_gen.inventory.fields import FLAG_PATTERN, REPO_PATTERN
from anvil_gen.inventory.typed_values import typed_value
from anvil_gen.text.flags import split_flag

_PARALLEL = ("tensor_parallel", "pipeline_parallel", "data_parallel")
_CONVERT: Mapping[str, Any] = {
    **dict.fromkeys(("context_length", "max_sequences", *_PARALLEL), whole),
    "gpu_memory_utilization": fraction,
    "kv_cache_dtype": str,
}
"""Field -> what makes its value of a flag's. Others are taken apart by hand, or stay words."""
_MODEL = "{model}"


class FlagRead(Struct, frozen=True, kw_only=True):
    """A flag with the words after it, and as it was written."""

    name: str  # empty for one that cannot be named
    values: tuple[str, ...]
    words: tuple[str, ...]


class CommandRead(Struct, kw_only=True):
    """A command line as a tier writes it."""

    fields: dict[str, Any] = {}
    flags: dict[str, Any] = {}
    words: list[Any] = []  # that stand before the flags
    model: Any = None  # the repository, where it is one
    extra: str = ""  # from the first word on that a variable may let vanish
    given: set[str] = set()  # flags that are there, by field or by name


def read_flags(facts: EngineFacts, words: Sequence[str]) -> tuple[list[str], list[FlagRead]]:
    """Return the words that are no flag's, and the flags in their order."""
    positional: list[str] = []
    found: list[list[Any]] = []
    room = 0
    for word in words:
        flag, value = split_flag(word)
        if flag:
            name = facts.main_form(flag)
            found.append([name, [] if value is None else [value], [word]])
            room = facts.takes(name) if value is None else 0
        elif room:
            found[-1][1].append(word)
            found[-1][2].append(word)
            room -= 1
        else:
            positional.append(word)
    return positional, [FlagRead(name=one[0], values=tuple(one[1]), words=tuple(one[2])) for one in found]


def until_vanishing(words: Sequence[Word]) -> tuple[list[str], str]:
    """Return the words that are there whatever the variables are, and the rest as Compose splits it."""
    place = next((index for index, word in enumerate(words) if word.may_vanish), len(words))
    kept, rest = list(words[:place]), list(words[place:])
    if rest and kept and kept[-1].text.startswith("-") and "=" not in kept[-1].text:
        rest.insert(0, kept.pop())  # whose value it is
    return [word.text for word in kept], " ".join(shell_word(word) for word in rest)


def without_vanishing(facts: EngineFacts, words: Sequence[Word]) -> tuple[list[str], str]:
    """Return the words that are there whatever the variables are, and the others with their flags, as one text."""
    groups: list[list[Word]] = []
    room = 0
    for word in words:
        flag, value = split_flag(word.text)
        if flag or not room:
            groups.append([word])
            room = facts.takes(facts.main_form(flag)) if flag and value is None else 0
        else:
            groups[-1].append(word)
            room -= 1
    vanishing = [any(word.may_vanish for word in group) for group in groups]
    kept = [word.text for group, gone in zip(groups, vanishing, strict=True) if not gone for word in group]
    rest = [word for group, gone in zip(groups, vanishing, strict=True) if gone for word in group]
    return kept, " ".join(map(shell_word, rest))


def shell_word(word: Word) -> str:
    """Return a word as Compose reads it back from a command in one text."""
    if word.bare or re.fullmatch(r"[\w@%+=:,./-]+", word.text):
        return word.text
    escaped = re.sub(r'(["\\`])', r"\\\1", word.text)
    return f'"{escaped}"'


def read_command(facts: EngineFacts, words: Sequence[Word], *, own_program: bool, banned: Iterable[str]) -> CommandRead:
    """Return a command line as a tier writes it, after the words that are the engine's program."""
    kept, extra = without_vanishing(facts, words)
    positional, flags = read_flags(facts, kept)
    reader = _Reader(facts, set(banned), flags)
    reader.take_model(positional, flags)
    for flag in flags:
        reader.take(flag, twice=sum(one.name == flag.name for one in flags) > 1)
    reader.finish(own_program=own_program)
    reader.read.extra = extra
    return reader.read


class _Reader:
    def __init__(self, facts: EngineFacts, banned: set[str], flags: Sequence[FlagRead]) -> None:
        self._engine, self._banned = facts.engine, banned
        self._by_flag = facts.engine.flag_fields
        self._values = {flag.name: flag.values for flag in flags}
        self._positional: list[Any] = []
        self._raw: list[Any] = []
        self.read = CommandRead(fields={}, flags={}, words=[], given=set())

    def field_of(self, name: str) -> str:
        return self._by_flag.get(name, "")

    def take_model(self, positional: list[str], flags: list[FlagRead]) -> None:
        """Take the model: a word of its own, or the value of the flag that names it."""
        self._positional = [value_of(word) for word in positional]
        at = next((i for i, part in enumerate(self._engine.command) if _MODEL in part), None)
        if at is not None and positional and not any(self.field_of(one.name) == "model" for one in flags):
            candidate = positional[-1]
            if candidate not in self._engine.command and self._is_repo(candidate):
                self.read.model = value_of(candidate)
                self._positional[-1] = _MODEL
            self.read.given.add("model")

    def _is_repo(self, text: str) -> bool:
        name = plain(text)
        fits = re.fullmatch(REPO_PATTERN, name) is not None or (not name and has_variable(text))
        return "repo" in self._engine.models and fits and "model" not in self._banned

    def take(self, flag: FlagRead, *, twice: bool) -> None:
        field = self.field_of(flag.name)
        base = field.partition(".")[0]
        self.read.given.add(base or flag.name)
        if not flag.name or not re.fullmatch(FLAG_PATTERN, flag.name) or twice or flag.name in self._banned:
            self._keep(flag)
        elif base == "model":
            self._model_flag(flag, field)
        elif not field:
            self._plain_flag(flag)
        elif base in self._banned or not self._as_field(flag, base):
            self._keep(flag)

    def _keep(self, flag: FlagRead) -> None:
        self._raw += [value_of(word) for word in flag.words]

    def _plain_flag(self, flag: FlagRead) -> None:
        several = len(flag.values) > 1
        if several and self._engine.list_style == "repeat":
            self._keep(flag)
        else:
            values = [flag_value(value) for value in flag.values]
            self.read.flags[flag.name] = True if not values else values if several else values[0]

    def _model_flag(self, flag: FlagRead, field: str) -> None:
        value = flag.values[0] if len(flag.values) == 1 else ""
        named = [name for name in self._engine.fields if name.partition(".")[0] == "model"]
        by_repo = field in ("model", "model.repo")
        if value and by_repo and self._is_repo(value) and self.read.model is None:
            self.read.model = value_of(value)
            if not named:  # no flag of the engine's data names it
                self._raw = [f"--{flag.name}={_MODEL}", *self._raw]
        else:
            self._plain_flag(flag) if value and self.read.model is None else self._keep(flag)

    def _as_field(self, flag: FlagRead, field: str) -> bool:
        """Take a flag as a field of the tier; tell whether it is one."""
        flags = self._engine.fields.get(field, ())
        names = {flags} if isinstance(flags, str) else {*flags}
        try:
            return self._typed_field(flag, field, names)
        except ValueError:
            return False

    def _typed_field(self, flag: FlagRead, field: str, names: set[str]) -> bool:
        if field == "served_name":
            return self._names(flag)
        if field == "expert_parallel" and not flag.values:
            self.read.fields[field] = True
            return True
        if field == "revision" and len(flag.values) == 1 and self.read.model is not None:
            self.read.fields["revision"] = value_of(flag.values[0])
            return True
        if field == "port" and len(flag.values) == 1 and not has_variable(flag.values[0]):
            self.read.fields["port"] = whole(flag.values[0])
            return True
        if field not in _CONVERT or len(flag.values) != 1 or not self._say_one(names):
            return False
        self.read.fields[field] = _field_value(flag.values[0], _CONVERT[field])
        return True

    def _say_one(self, names: set[str]) -> bool:
        """Tell whether all flags of a field are there, and say the same."""
        return len({self._values.get(name) for name in names}) == 1

    def _names(self, flag: FlagRead) -> bool:
        several = self._engine.served_names == "several" and len(flag.values) > 1
        if several and not any(map(has_variable, flag.values)):
            self.read.fields["served_names"] = [plain(value) for value in flag.values]
        elif len(flag.values) == 1:
            self.read.fields["served_name"] = typed(flag.values[0], _name)
        else:
            return False
        return True

    def finish(self, *, own_program: bool) -> None:
        """Settle what stands before the flags: nothing, where that is what the engine's data says."""
        words = [*self._positional, *self._raw]
        usual = self._engine.arguments_for(own_program=own_program)
        has_model = self.read.model is not None
        expected = [part for part in usual if _MODEL not in part or has_model]
        self.read.words = [] if words == expected else words
        self.read.given |= {"words"} if words != expected else set()


def _name(text: str) -> str:
    if not re.fullmatch(r"[^\x00-\x20\x7f]+", text):
        raise ValueError(text)
    return text


def _field_value(text: str, convert: Any) -> Any:
    if convert is str:
        if not plain(text) or re.search(r"\s", plain(text)):
            raise ValueError(text)
        return value_of(text)
    return typed(text, convert)


def flag_value(text: str) -> Any:
    """Return the value of one flag as an inventory writes it."""
    value = value_of(text)
    return typed_value(value) if isinstance(value, str) else value
