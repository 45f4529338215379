"""The flags that `simulate` and `explain` share: the law's parameters, optimizers, and how a run is carried out."""

from __future__ import annotations

__all__ = ["BOTH"]

from lemmascope.cli.command import argument, option
from lemmascope.cli.fields import flags_of
from lemmascope.cli.kinds import INT, NUMBER, PATH
from lemmascope.sims.cubic_cnn.backends.choice import BACKENDS
from lemmascope.theory.cubic_cnn import SUBJECT
from lemmascope.theory.cubic_cnn.parameters import Parameters

LAW = "Law and network"
RUN = "Optimizers and run"


BOTH = (
    argument("config", "Settings file (TOML); flags win over it.", required=False, type=PATH),
    option("--regime", metavar="NAME", section=LAW, help="Start from HEADLINE, or paper (needs -d)."),
    *flags_of(Parameters, {symbol.code: symbol.meaning for symbol in SUBJECT.symbols}, LAW),
    option("--law", metavar="NAME", section=LAW, help="samples (in R^d), or exact (any dimension, at no cost in d)."),
    option("--data", kind=PATH, section=LAW, help="Your own patches: .npz with X, y (w_star, small)."),
    option(
        "--optimizer",
        multiple=True,
        section=RUN,
        help="[label=]form:name=value,…; the form is gd, momentum, velocity, nesterov or file.py:Class. Repeat.",
    ),
    option("--iterations", kind=INT, section=RUN, help="Steps to take [10000]."),
    option("--seeds", kind=INT, section=RUN, help="Data sets and initial weights to draw [1]."),
    option("--representation", metavar="NAME", section=RUN, help="auto, weights or coefficients."),
    option("--backend", metavar="NAME", section=RUN, help=f"auto, {', '.join(BACKENDS)}."),
    option("--dtype", metavar="NAME", section=RUN, help="float64 or float32."),
    option("--workers", kind=INT, section=RUN, help="Threads [the number of cores]."),
    option("--memory-limit", kind=NUMBER, section=RUN, help="GiB for data and state [80 % of what is free]."),
)
