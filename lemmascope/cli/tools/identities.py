"""Find out which algorithm an optimizer is, and hold it to it.

Which momentum it has, or with --which which algorithm of Adam's kin too; and whether it keeps its convention.

Properties are tried on inputs drawn at random, over schedules, weight decay, arrays, matrices and missing
gradients, against exact arithmetic and within a bound on the rounding: ✓ in every case, ✗ with the smallest
counterexample, n/a with the reason, ? where a case could not be tried. An optimizer keeps its convention if each of the
convention's identities was tried and holds; how many were is said.

NAME makes an optimizer: it takes eta (or lr, learning_rate, step_size) and gamma (or momentum, mass, betas), params if
it wants them, and may take weight_decay, dampening and maximize. It returns an optimizer of PyTorch, optax, Keras or
scikit-learn, an object with init and step, or a function update(params, grad, state, t). Without --optimizer, those of
the libraries that are installed are tried.
"""

from __future__ import annotations

__all__ = ["command"]

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lemmascope.cli.command import command as made
from lemmascope.cli.command import flag, option
from lemmascope.cli.kinds import INT, NUMBER, PATH
from lemmascope.cli.manners import stop
from lemmascope.cli.text import json_output

if TYPE_CHECKING:
    from rich.console import Console

    from lemmascope.cli.trying import Origin


@made(
    __doc__,
    option(
        "--optimizer",
        multiple=True,
        metavar="FILE.py:NAME",
        help="Your own, or package.module:NAME of one that is installed. Repeat.",
    ),
    option("--convention", metavar="NAME", help="The convention that your optimizer is to follow."),
    option("--weight-decay", metavar="KIND", help="How weight decay is to enter: coupled, decoupled."),
    option("--library", multiple=True, metavar="NAME", help="own, functions, torch, … [those installed]. Repeat."),
    option("--identity", multiple=True, metavar="NAME", help="Only these identities. Repeat."),
    option("--dtype", multiple=True, metavar="NAME", help="Number types [float32, float64]. Repeat."),
    option("--examples", kind=INT, default=100, help="Cases that each identity tries, for each dtype [100]."),
    flag("--which", help="Also say which algorithm each is, exactly: Adam and its kin, or momentum."),
    option("--budget", kind=NUMBER, help="Seconds for each optimizer [600]; what is not tried by then is said."),
    option("--jobs", kind=INT, help="Processes, with the same findings for any number [the number of cores]."),
    option("--out", kind=PATH, default=Path("results/identities"), help="Folder for the table [results/identities]."),
    flag("--force", help="Replace other results in that folder."),
    option("--json", "json_", kind=PATH, help="Write the table to this file too; - prints it alone."),
    option("--junit", kind=PATH, help="Write it as JUnit's XML to this file, for continuous integration."),
    flag("--list", "list_", help="Say what the identities and the conventions are."),
    examples=(
        "lemmascope identities",
        "lemmascope identities --list",
        "lemmascope identities --library torch --library own",
        "lemmascope identities --optimizer my_optimizer.py:make --convention pytorch --weight-decay decoupled",
        "lemmascope identities --optimizer torch.optim:NAdam --which --identity reproducible",
        "lemmascope identities --optimizer my_optimizer.py:make --convention velocity --junit report.xml",
    ),
    exits="0 when every optimizer keeps its convention, 1 when one does not, 2 when one could not be tried and for "
    "wrong use, 130 for Ctrl-C.",
)
def command(
    optimizer: tuple[str, ...],
    convention: str | None,
    weight_decay: str | None,
    library: tuple[str, ...],
    identity: tuple[str, ...],
    dtype: tuple[str, ...],
    examples: int,
    which: bool,
    budget: float | None,
    jobs: int | None,
    out: Path,
    force: bool,
    json_: Path | None,
    junit: Path | None,
    list_: bool,
) -> int:
    """See the top of the file."""
    from importlib.metadata import version

    from lemmascope.cli.identities_shown import list_all, show
    from lemmascope.cli.trying import Wanted, as_junit, listed, tried
    from lemmascope.proofs_check.conformance import table
    from lemmascope.proofs_check.conformance.case import DTYPES
    from lemmascope.proofs_check.conformance.formats import dtypes_of
    from lemmascope.proofs_check.conformance.trial import BUDGET, Budget
    from lemmascope.sims.checksums import sealed
    from lemmascope.sims.files import Output, ResultsFolder, write_json
    from lemmascope.sims.report.terminal import open_console, task_progress
    from lemmascope.sims.run.processes import Processes
    from lemmascope.sims.run.provenance import machine_of
    from lemmascope.theory.errors import check_size

    console = open_console(stderr=str(json_) == "-")
    if list_:
        list_all(console)
        return 0
    wanted = Wanted(
        table.names_for(identity) if identity else None,
        which,
        dtypes_of(dtype or DTYPES),
        check_size("examples", examples),
        Budget(BUDGET if budget is None else budget).seconds,
    )
    processes = check_size("jobs", jobs) if jobs is not None else os.cpu_count() or 1
    own = _own(optimizer, convention, weight_decay, library)
    libraries = () if own else _libraries(console, library)
    fingerprint = {
        "study": "identities",
        "optimizers": [o.spec for o in own],
        "libraries": list(libraries),
        "identities": list(table.names_for(wanted.identities)),
        "convention": convention,
        "weight_decay": weight_decay,
        "dtypes": list(wanted.dtypes),
        "examples": examples,
        "which": which,
        "lemmascope_version": version("lemmascope"),
    }
    started = time.monotonic()
    with ExitStack() as open_:
        give = open_.enter_context(json_output(json_, table.SCHEMA.partition("/")[0]))
        tests = open_.enter_context(Output(junit, "junit", field="junit")) if junit is not None else None
        folder = open_.enter_context(ResultsFolder(out, fingerprint, force=force))
        pool = open_.enter_context(Processes(processes)) if processes > 1 else None
        origins = own or listed(libraries, pool)
        count = len(origins) * wanted.steps
        advance = open_.enter_context(task_progress(float(count), count, "identities"))

        def progress(steps: int) -> None:
            for _ in range(steps):
                advance(1.0)

        rows = tried(origins, wanted, pool, progress)
        found = table.as_json(rows, dtypes=list(wanted.dtypes), examples_each=examples)
        write_json(folder.partial / "identities.json", sealed(found))
        folder.provenance({"examples": examples} | machine_of(time.monotonic() - started))
        give(found)
        if tests is not None:
            tests.write(as_junit(rows))
    if str(json_) != "-":
        show(console, found, examples)
    for row in rows:
        for line in row.explanation.splitlines():
            console.print(line, style="red")
    console.print(f"{_kept(found)}{time.monotonic() - started:.0f} s; results in {out}")
    untried = [sentence for row in rows if (sentence := _untried(row))]
    failing = any(row.failing for row in rows)
    if untried and not failing:
        stop("; ".join(untried), 2)
    for sentence in untried:
        console.print(sentence, style="red")
    return 1 if failing else 0


def _kept(found: dict[str, Any]) -> str:
    """How many keep their convention, and of how many that is open."""
    said = [row["keeps_convention"] for row in found["optimizers"] if row["convention"] is not None]
    if not said:
        return ""
    open_ = f", and of {said.count(None)} that is open, as not all was tried" if None in said else ""
    return f"{said.count(True)} of {len(said)} optimizers keep the convention that they are meant to follow{open_}; "


def _untried(row: Any) -> str:
    """That an optimizer could not be tried on something, and why."""
    if not row.untried:
        return ""
    first, others = row.untried[0], len(row.untried) - 1
    also = f" and {others} more {'identity' if others == 1 else 'identities'}" if others else ""
    case = f" ({first.case.text()})" if first.case is not None else ""
    return f"{row.optimizer} could not be tried on {first.identity}{also}: {first.reason}{case}"


def _own(
    specs: Sequence[str], convention: str | None, weight_decay: str | None, library: Sequence[str]
) -> list[Origin]:
    """A user's own optimizers, loaded once: what is wrong with them is refused now."""
    from lemmascope.cli.trying import Origin, known_at
    from lemmascope.proofs_check.conformance.adapters.driver import drivers
    from lemmascope.proofs_check.conformance.kept import names_of
    from lemmascope.theory.errors import InputError

    if convention is not None or weight_decay is not None:
        names_of(convention or "gd", weight_decay)
    for field, value in (("convention", convention), ("weight_decay", weight_decay)):
        if value is not None and not specs:
            raise InputError(field, value, "it goes with --optimizer")
    driver = library[0] if library and specs else None
    if driver is not None and (driver not in drivers() or len(library) > 1):
        raise InputError("library", ", ".join(library), f"of your own it must be one of {', '.join(drivers())}")
    short = [spec.rpartition(":")[2] for spec in specs]
    found = []
    for spec, name in zip(specs, short, strict=True):
        origin = Origin(spec, name if short.count(name) == 1 else spec, driver, True, convention, weight_decay)
        known_at(origin).subject.settings  # noqa: B018
        found.append(origin)
    return found


def _libraries(console: Console, chosen: Sequence[str]) -> tuple[str, ...]:
    """Those whose optimizers are tried."""
    from lemmascope.proofs_check.conformance.known import LIBRARIES, check_installed, installed

    for name in chosen:
        check_installed(name)
    there = tuple(dict.fromkeys(chosen)) or tuple(name for name in LIBRARIES if installed(name))
    left = [name for name in LIBRARIES if name not in there]
    if left and not chosen:
        console.print(f"not installed, and left out: {', '.join(left)}", style="yellow")
    return there
