"""The two-layer cubic CNN: its parameters, its simulator, its claims.

A trajectory of one's own, judged::

    from lemmascope import cubic_cnn

    run = cubic_cnn.simulate(cubic_cnn.HEADLINE, {"GD": ls.GD(0.1)}, iterations=2000, seeds=5)
    for verdict in cubic_cnn.judge(run):
        print(verdict.claim, verdict.status)
"""

from __future__ import annotations

from lemmascope.names import on_first_use

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lemmascope.sims.cubic_cnn.evidence import judge
    from lemmascope.sims.cubic_cnn.problems import LawProblem, PatchProblem
    from lemmascope.sims.cubic_cnn.simulate import simulate
    from lemmascope.sims.cubic_cnn.trajectory import SCHEMA, load, save
    from lemmascope.sims.cubic_cnn.userdata import load_patches
    from lemmascope.sims.figures.headline import save_all
    from lemmascope.theory.cubic_cnn import SUBJECT
    from lemmascope.theory.cubic_cnn.claims import CLAIMS, TRAJECTORY
    from lemmascope.theory.cubic_cnn.parameters import HEADLINE, Parameters, paper_regime
    from lemmascope.theory.cubic_cnn.run import Run

__all__ = [
    "CLAIMS",
    "HEADLINE",
    "SCHEMA",
    "SUBJECT",
    "TRAJECTORY",
    "LawProblem",
    "Parameters",
    "PatchProblem",
    "Run",
    "judge",
    "load",
    "load_patches",
    "paper_regime",
    "save",
    "save_all",
    "simulate",
]

_WHERE = {
    "CLAIMS": "lemmascope.theory.cubic_cnn.claims:CLAIMS",
    "HEADLINE": "lemmascope.theory.cubic_cnn.parameters:HEADLINE",
    "LawProblem": "lemmascope.sims.cubic_cnn.problems:LawProblem",
    "Parameters": "lemmascope.theory.cubic_cnn.parameters:Parameters",
    "PatchProblem": "lemmascope.sims.cubic_cnn.problems:PatchProblem",
    "Run": "lemmascope.theory.cubic_cnn.run:Run",
    "SCHEMA": "lemmascope.sims.cubic_cnn.trajectory:SCHEMA",
    "SUBJECT": "lemmascope.theory.cubic_cnn:SUBJECT",
    "TRAJECTORY": "lemmascope.theory.cubic_cnn.claims:TRAJECTORY",
    "judge": "lemmascope.sims.cubic_cnn.evidence:judge",
    "load": "lemmascope.sims.cubic_cnn.trajectory:load",
    "load_patches": "lemmascope.sims.cubic_cnn.userdata:load_patches",
    "paper_regime": "lemmascope.theory.cubic_cnn.parameters:paper_regime",
    "save": "lemmascope.sims.cubic_cnn.trajectory:save",
    "save_all": "lemmascope.sims.figures.headline:save_all",
    "simulate": "lemmascope.sims.cubic_cnn.simulate:simulate",
}
__getattr__, __dir__ = on_first_use(__name__, _WHERE)
