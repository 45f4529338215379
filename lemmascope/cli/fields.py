"""The flags of a study's settings, made from the types of their fields; and settings made from what was given."""

from __future__ import annotations

__all__ = ["flags_of", "settings_from", "study_flags"]

import dataclasses
import importlib
import types
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lemmascope.cli.command import Option
from lemmascope.cli.kinds import INT, NUMBER, PATH, TEXT, Fixed, Listed, OneOf
from lemmascope.sims.study import SIZES, Study, at_size, settings_of

PLAIN: dict[Any, Any] = {int: INT, float: NUMBER, str: TEXT, Path: PATH}
SHOWN = 4
"""Values of a list that are shown; of a longer one its ends."""


def kind_of(hint: Any) -> Any:
    """What a flag of this type takes; None for a type that has no flag."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        rest = [one for one in inner if one is not types.NoneType]
        return kind_of(rest[0]) if len(rest) == 1 else None
    if origin is Literal:
        return OneOf([value for value in inner if value is not None])
    if origin is tuple:
        if any(one not in PLAIN for one in inner if one is not Ellipsis):
            return None
        each = [PLAIN[one] for one in inner if one is not Ellipsis]
        return Listed(each[0]) if Ellipsis in inner else Fixed(each)
    return PLAIN.get(hint)


@dataclasses.dataclass(frozen=True)
class _Field:
    """A field, or one of a nested dataclass: the group it is in, its name, type, help and values by size."""

    group: str
    name: str
    hint: Any
    help: str
    flag: str
    values: Mapping[str, Any]

    @property
    def parameter(self) -> str:
        """Its name among a command's parameters."""
        return f"{self.group}__{self.name}" if self.group else self.name


def _fields(
    kind: Any, symbols: Mapping[str, str], group: str = "", values: Mapping[str, Any] | None = None
) -> Iterator[_Field]:
    """The fields of a dataclass, with their values by size; those of a nested one in their place.

    ``values`` are instances of a nested one by size. None is made here: settings may take long to check themselves.
    """
    hints = get_type_hints(kind)
    for f in dataclasses.fields(kind):
        if not f.init or f.name.startswith("_"):
            continue
        if values is None:
            each = {size: x for size in SIZES if (x := at_size(f, size)) is not dataclasses.MISSING}
        else:
            each = {size: getattr(instance, f.name) for size, instance in values.items()}
        if not group and dataclasses.is_dataclass(hints[f.name]):
            within = hints[f.name].__module__.split(".")
            own = _symbols(within[2]) if within[:2] == ["lemmascope", "theory"] and len(within) > 2 else {}
            yield from _fields(hints[f.name], {**symbols, **own}, f.name, each)
            continue
        text = f.metadata.get("help") or _capital(symbols.get(f.name, ""))
        yield _Field(group, f.name, hints[f.name], text, f.metadata.get("flag", ""), each)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _symbols(subject: str) -> dict[str, str]:
    """What the subject's symbols mean, by the names that they have in code."""
    if not subject.isidentifier():
        return {}
    try:
        found = importlib.import_module(f"lemmascope.theory.{subject}").SUBJECT
    except (ImportError, AttributeError):
        return {}  # of a study of one's own
    return {symbol.code: symbol.meaning for symbol in found.symbols}


def _spelled(x: Any) -> str:
    if isinstance(x, list | tuple):
        each = [f"1e{len(str(one)) - 1}" if _decade(one) else _spelled(one) for one in x]
        return ",".join(each if len(each) <= SHOWN else [*each[:2], "…", each[-1]])
    if isinstance(x, float):
        short = f"{x:g}"
        return (short if float(short) == x else f"{x:.4g}").replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
    return str(x)


def _decade(x: Any) -> bool:
    return isinstance(x, int) and x >= 1000 and x == 10 ** (len(str(x)) - 1)


def _said(field: _Field) -> str:
    """Its help, with the value at each size in brackets."""
    text = field.help.rstrip(".")
    default = field.values.get("default")
    if isinstance(default, bool):
        return f"{text}."
    shown = [] if default is None or default == "" else [_spelled(default)]
    for size in ("quick", "full"):
        x = field.values.get(size)
        if x is not None and x != default:
            shown.append(f"{size} {_spelled(x)}")
    return f"{text} [{'; '.join(shown)}].".strip() if shown else f"{text}."


def _flags(fields: Iterable[_Field], section: str) -> list[Option]:
    made: dict[str, Option] = {}
    for field in fields:
        word = (field.flag or field.name).lstrip("-").replace("_", "-")
        names = [f"-{word}"] if len(word) == 1 and word != "h" else []
        names.append(f"--{word}")
        keywords: dict[str, Any] = {"help": _said(field), "default": None, "section": section}
        if field.hint is bool:
            if True in field.values.values():
                names[-1] += f"/--no-{word}"
            keywords["is_flag"] = True
        elif (kind := kind_of(field.hint)) is not None:
            keywords |= {"type": kind, "metavar": kind.name} if isinstance(kind, Fixed) else {"type": kind}
        else:
            continue
        if names[-1] in made:
            raise TypeError(f"two settings would be the flag {names[-1]}; give one of them `flag=`")
        made[names[-1]] = Option([field.parameter, *names], **keywords)
    return list(made.values())


def flags_of(kind: Any, symbols: Mapping[str, str], section: str) -> list[Option]:
    """A flag for each field of a dataclass, None where it is not given.

    Args:
        kind: the dataclass.
        symbols: what each field means, by its name.
        section: the heading above the flags.
    """
    return _flags(_fields(kind, symbols, values={}), section)


def study_flags(study: Study[Any], section: str) -> list[Option]:
    """A flag for each field of a study's settings, in their order; those of a nested dataclass among them.

    Raises:
        TypeError: two fields would be the same flag.
    """
    return _flags(_fields(study.settings, _symbols(study.subject)), section)


def settings_from(study: Study[Any], size: str, given: Mapping[str, Any]) -> Any:
    """The settings of a size, with the flags that were given in place of its values.

    Raises:
        InputError: the settings refuse them.
    """
    changes: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for field in _fields(study.settings, {}):
        x = given.get(field.parameter)
        if x is not None:
            (nested.setdefault(field.group, {}) if field.group else changes)[field.name] = x
    for f in dataclasses.fields(study.settings):
        if f.name in nested:
            changes[f.name] = dataclasses.replace(at_size(f, size), **nested[f.name])
    return settings_of(study.settings, size, **changes)
