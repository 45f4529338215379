"""The negative controls that several claims share; how each is made is known to `sims.cubic_cnn.controls`."""

from __future__ import annotations

__all__ = ["ASCENT", "AT_START", "GD_RUN", "MOMENTUM_RUN", "TWINS"]

from lemmascope.theory.claim import Control

MOMENTUM_RUN = Control("the GD+M run from the same data and weights, of the same η, its loss spent", made="counterpart")
GD_RUN = Control("the GD run from the same data and weights, of the same η, its loss spent", made="counterpart")
AT_START = Control("the same run before its first step", made="initial_state")
ASCENT = Control("a run whose gradient has the wrong sign", made="planted:wrong_sign")
TWINS = Control("a run whose noise patches are copies of one", made="planted:twin_noise")
