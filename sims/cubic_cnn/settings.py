"""From flags and TOML files to the arguments of `simulate`; every unknown name is refused with the known ones."""

from __future__ import annotations

__all__ = ["Settings", "optimizer_from_table", "optimizer_from_text", "read_toml", "settings"]

import ast
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from lemmascope.sims.cubic_cnn.probe import check_optimizers
from lemmascope.sims.cubic_cnn.problems import LawProblem, Problem
from lemmascope.sims.own import load_module
from lemmascope.sims.schedule import Every, Logarithmic, Schedule
from lemmascope.sims.users import users
from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters, paper_regime
from lemmascope.theory.errors import InputError, check_number
from lemmascope.theory.optimizers import FORMS, GD, MomentumAverage, Optimizer, PiecewiseConstant

PARAMETERS = tuple(f.name for f in fields(Parameters))
DATA = ("file", "m", "sigma_0", "lam")
RUN = (
    "iterations",
    "seeds",
    "root_seed",
    "law",
    "every",
    "log_points",
    "representation",
    "dtype",
    "whole_Xi",
    "trace",
    "certify",
    "fast_forward",
    "backend",
    "memory_limit",
    "workers",
    "out",
)
TOP = ("regime", "parameters", "data", "optimizers", "run")
LABELS = {"gd": "GD", "momentum": "GD+M", "velocity": "velocity", "nesterov": "Nesterov"}


@dataclass(frozen=True)
class Settings:
    """What `simulate` is called with, where its result goes, and the user's files that were loaded for it."""

    problem: Problem
    optimizers: dict[str, Optimizer]
    record: Schedule
    run: dict[str, Any]
    out: Path
    files: tuple[str, ...] = ()


def _known(where: str, table: object, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise InputError(where, table, "it must be a table")
    for key in table:
        if key not in names:
            raise InputError(where, key, f"the names are {', '.join(names)}")
    return dict(table)


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a settings file and check its names.

    Raises:
        InputError: it is missing, no TOML, or has an unknown name.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # a pipe would wait for somebody to write
        raise InputError("config", str(path), "it must be a file, and not a folder, a pipe or a device")
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError("config", str(path), f"it must be a readable file ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError("config", str(path), f"it must be TOML ({error})") from error
    top = _known(str(path), found, TOP)
    for name, names in (("parameters", PARAMETERS), ("data", DATA), ("run", RUN)):
        if name in top:
            _known(f"{path} [{name}]", top[name], names)
    return top


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _schedule(field: str, value: Any) -> Any:
    """[[0, 0.1], [1000, 0.01]] and "0.1@0/0.01@1000" are piecewise constant learning rates."""
    if isinstance(value, str):
        pairs = [step.partition("@") for step in value.split("/")]
        value = [[_value(start or "0"), _value(rate)] for rate, _, start in pairs]
    if isinstance(value, list):
        if not all(isinstance(step, list) and len(step) == 2 for step in value):
            raise InputError(field, value, "a schedule is [[0, η₀], [t₁, η₁], …], in a flag η₀@0/η₁@t₁")
        return PiecewiseConstant(tuple(s for s, _ in value), tuple(v for _, v in value))
    return value


def _own(form: str) -> bool:
    """Whether a form is a user's class, path.py:Class."""
    return ".py:" in form


def optimizer_from_table(label: str, table: Mapping[str, Any]) -> Optimizer:
    """An optimizer from a TOML table or a parsed flag: ``form`` and the form's fields.

    ``form`` is gd, momentum, velocity or nesterov, or ``path.py:Class`` for a user's own class.
    """
    values = dict(table)
    form = values.pop("form", None)
    where = f"optimizer {label}"
    if isinstance(form, str) and _own(form):
        path, _, name = form.rpartition(":")
        made = getattr(load_module(path), name, None)
        if made is None:
            raise InputError(where, form, f"{path} must define {name}")
        with users(where, values, f"{name} does not take that"):
            optimizer = made(**values)
    else:
        if not isinstance(form, str) or form not in FORMS:
            raise InputError(f"{where}: form", form, f"the forms are {', '.join(FORMS)}, or file.py:Class")
        names = tuple(f.name for f in fields(FORMS[form]))
        _known(where, values, names)
        for name in names:
            if name not in values:
                raise InputError(where, values, f"{form} needs {', '.join(names)}")
        optimizer = FORMS[form](**{k: _schedule(f"{where}: eta", v) if k == "eta" else v for k, v in values.items()})
    check_optimizers({label: optimizer})
    return optimizer


def optimizer_from_text(text: str) -> tuple[str | None, dict[str, Any]]:
    """Parse ``[label=]form[:name=value,…]`` into (label or None, table)."""
    label: str | None = None
    head = text.split(":", 1)[0]
    if "=" in head:
        label, _, text = text.partition("=")
    if ".py:" in text:
        path, _, rest = text.partition(".py:")
        name, _, values = rest.partition(":")
        form = f"{path}.py:{name}"
    else:
        form, _, values = text.partition(":")
    table: dict[str, Any] = {"form": form}
    for item in filter(None, values.split(",")):
        key, sign, value = item.partition("=")
        if not sign:
            raise InputError("optimizer", text, "it must look like gd:eta=0.1 or momentum:eta=0.1,gamma=0.999")
        if key.strip() in table:
            raise InputError("optimizer", text, f"{key.strip()} is given twice")
        table[key.strip()] = _value(value.strip())
    return label, table


def _label(table: Mapping[str, Any], taken: Mapping[str, Any]) -> str:
    form = str(table["form"])
    short = LABELS.get(form, form.rpartition(":")[2])
    if short not in taken:
        return short
    long = " ".join([short, *(f"{k}={v}" for k, v in table.items() if k != "form")])
    if long in taken:
        raise InputError("optimizer", long, "each optimizer needs a label of its own, label=form:…")
    return long


def _problem(top: dict[str, Any], flags: dict[str, Any], run: dict[str, Any]) -> Problem:
    given = {**top.get("parameters", {}), **{k: flags[k] for k in PARAMETERS if flags.get(k) is not None}}
    data = {**top.get("data", {})}
    if flags.get("data") is not None:
        data["file"] = flags["data"]
    law = run.pop("law", "samples")
    if data:
        data.update({k: given[k] for k in ("m", "sigma_0", "lam") if k in given})
        extra = sorted(set(given) - {"m", "sigma_0", "lam"})
        if extra:
            raise InputError("parameters", extra, "with your own data only m, sigma_0 and lam are yours to set")
        for name in ("file", "m", "sigma_0"):
            if name not in data:
                raise InputError("data", sorted(data), f"{name} must be given too")
        if not isinstance(data["file"], str | Path):
            raise InputError("data file", data["file"], "it must be the path of an .npz file")
        from lemmascope.sims.cubic_cnn.userdata import load_patches

        return load_patches(data["file"], m=data["m"], sigma_0=data["sigma_0"], lam=data.get("lam", 0.0))
    regime = flags.get("regime") or top.get("regime", "HEADLINE")
    if regime == "HEADLINE":
        base = HEADLINE
    elif regime == "paper":
        if "d" not in given:
            raise InputError("regime", regime, "d must be given too")
        base = paper_regime(**{k: given[k] for k in ("d", "N", "P", "m", "mu") if k in given})
    else:
        raise InputError("regime", regime, "it must be 'HEADLINE' or 'paper'")
    return LawProblem(Parameters.from_dict({**base.to_dict(), **given}), law)


def _schedule_of(run: dict[str, Any]) -> Schedule:
    every, points = run.pop("every", None), run.pop("log_points", None)
    if every is not None and points is not None:
        raise InputError("every", every, "give either every or log_points")
    return Every(every) if every is not None else Logarithmic(200 if points is None else points)


def settings(top: dict[str, Any], flags: dict[str, Any]) -> Settings:
    """Merge a settings file (`read_toml`, or {}) with flags; a flag wins.

    Args:
        top: tables by name.
        flags: values by name, None where a flag was not given; ``optimizer`` is a list of texts.
    """
    run = {**top.get("run", {}), **{k: flags[k] for k in RUN if flags.get(k) is not None}}
    problem = _problem(top, flags, run)
    tables: dict[str, dict[str, Any]] = dict(_known_tables(top.get("optimizers", {})))
    if flags.get("optimizer"):
        tables = {}
        for text in flags["optimizer"]:
            label, table = optimizer_from_text(text)
            label = label or _label(table, tables)
            if label in tables:
                raise InputError("optimizer", label, "each optimizer needs a label of its own")
            tables[label] = table
    optimizers: dict[str, Optimizer] = {label: optimizer_from_table(label, t) for label, t in tables.items()}
    if not optimizers:
        optimizers = {"GD": GD(0.1), "GD+M": MomentumAverage(0.1, 0.999)}
    record = _schedule_of(run)
    out = run.pop("out", "trajectory.nc")
    if not isinstance(out, str | Path) or "\0" in str(out):
        raise InputError("out", out, "it must be the path of a file")
    out = Path(out)
    run.setdefault("iterations", 10_000)
    run.setdefault("seeds", 1)
    for name in ("whole_Xi", "trace", "certify"):
        if not isinstance(run.get(name, False), bool):
            raise InputError(name, run[name], "it must be true or false")
    if "memory_limit" in run:  # in GiB here, in bytes from Python
        run["memory_limit"] = 2**30 * check_number("memory_limit", run["memory_limit"], 0, open_low=True)
    files = tuple(
        form.rpartition(":")[0] for form in (str(table.get("form")) for table in tables.values()) if _own(form)
    )
    return Settings(problem, optimizers, record, run, out, files)


def _known_tables(table: object) -> dict[str, dict[str, Any]]:
    if not isinstance(table, dict) or not all(isinstance(t, dict) for t in table.values()):
        raise InputError("optimizers", table, "it must hold one table for each optimizer, [optimizers.LABEL]")
    return table
