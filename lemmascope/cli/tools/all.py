"""Run every study that is not done, and end in one table.

Results that are complete and come from today's code are left alone, and a study that was interrupted goes on, with
--resume or without; parts that other code computed are computed again, which is said. One that fails does not keep the
others from being run. The exit state is the worst of all.
"""

from __future__ import annotations

__all__ = ["command"]

import json
from pathlib import Path
from typing import Any

from lemmascope.cli import lazily
from lemmascope.cli.command import command as made
from lemmascope.cli.command import flag, option
from lemmascope.cli.kinds import INT, NUMBER, PATH
from lemmascope.cli.manners import FAULT, polite
from lemmascope.cli.studies import EXITS, KEPT, Done, carry, folder_of, size_of, sizes
from lemmascope.sims import registry
from lemmascope.sims.checksums import read_provenance
from lemmascope.sims.sizes import spell_seconds
from lemmascope.sims.study import Study, settings_of

SAID = {0: "as expected", 1: "not as expected", 2: "refused", 3: "cluster lost", FAULT: "failed"}


@made(
    __doc__,
    *sizes(),
    option("--root-seed", kind=INT, default=0, help="Root of all random streams [0]."),
    option("--out", kind=PATH, default=Path("results"), help="Folder in which each study has its own [results]."),
    flag(
        "--resume",
        help="Go on where a run was interrupted, as without it; of a study that has nothing there that is said.",
    ),
    flag("--force", help="Run all of them anew, and replace the results that lie there."),
    flag("--yes", help="Run a study though it would take more than a day."),
    option("--cluster", help="Run over Dask: local, local:WORKERS or tcp://HOST:PORT; the same bits."),
    option("--cluster-patience", kind=NUMBER, help="Seconds that the cluster may be silent before it is lost [60]."),
    option("--workers", kind=INT, help="Threads [the number of cores]."),
    examples=("lemmascope all --quick --out look", "lemmascope all", "lemmascope all --full --cluster tcp://HOST:8786"),
    exits=(("0", "every verdict of every study is as expected, its control REFUTED"), *EXITS[1:]),
    kept=KEPT,
)
def command(out: Path, root_seed: int, resume: bool, force: bool, **given: Any) -> int:
    """See the top of the file."""
    from rich import box
    from rich.table import Table

    from lemmascope.sims.report.terminal import open_console

    size = size_of(given)
    console = open_console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("study", "verdicts as expected", "took", ""):
        table.add_column(name, justify="right" if name == "took" else "left")
    worst = 0
    for name in registry.names():
        console.print(f"\n{name}: {registry.title(name)}", style="bold")
        with lazily.imports():
            study = registry.study(name)
        lazily.resolve()
        settings, own = settings_of(study.settings, size), folder_of(study, size, out)
        done = None if force else _there(study, settings, root_seed, own)
        if done is None:
            other = "" if force else _other_code(study, settings, root_seed, own)
            if other:
                console.print(f"its parts were computed {other}; they are computed again", style="yellow")
            anew = force or bool(other)
            go_on = not anew and (resume or own.exists())
            done = _one(study, settings, root_seed=root_seed, out=own, resume=go_on, force=anew, **given)
        else:
            console.print(f"done already: {done.good} of {done.verdicts} verdicts as expected")
        worst = max(worst, done.status)
        verdicts = f"{done.good} of {done.verdicts}" if done.status < 2 else "–"
        table.add_row(name, verdicts, spell_seconds(done.seconds), SAID[done.status])
    console.print()
    console.print(table)
    return worst


def _there(study: Study[Any], settings: Any, root_seed: int, out: Path) -> Done | None:
    """How it came out, where whole results of the same run and of today's code lie there."""
    from lemmascope.sims.report.verdicts import read_results
    from lemmascope.sims.run.carry import fingerprint
    from lemmascope.sims.run.code import code_of

    try:
        found, saved = read_provenance(out), read_results(out)
        verdicts = saved["verdicts"] if saved is not None else []
        wanted = fingerprint(study, settings, root_seed, study.dtypes[0], study.backends[0])
        same = found["fingerprint"] == json.loads(json.dumps(wanted)) and found["code"] == code_of(study)
        if saved is None or not same:
            return None
        good = sum(bool(v["as_expected"]) for v in verdicts)
        return Done(int(good < len(verdicts)), good, len(verdicts), float(found["wall_seconds"]))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _other_code(study: Study[Any], settings: Any, root_seed: int, out: Path) -> str:
    """By what other code the parts of this study that lie there were computed; empty where it is the same."""
    from lemmascope.sims.run.carry import fingerprint
    from lemmascope.sims.run.code import code_of, made_with
    from lemmascope.sims.run.store import other_code

    same = fingerprint(study, settings, root_seed, study.dtypes[0], study.backends[0])
    return other_code(out, same, code_of(study), made_with(study, study.backends[0]))


def _one(study: Study[Any], settings: Any, **keywords: Any) -> Done:
    """Run one; of a failure its sentence is printed, and its exit state kept."""
    import time

    started = time.monotonic()
    try:
        with polite(KEPT):
            return carry(study, settings, dtype=study.dtypes[0], backend=study.backends[0], **keywords)
    except SystemExit as error:
        if error.code not in SAID:
            raise  # a signal: it is meant for all of them
        return Done(int(error.code or 0), 0, 0, time.monotonic() - started)
