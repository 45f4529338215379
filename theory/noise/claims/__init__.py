"""The claims about noise, a file a study."""

from __future__ import annotations

__all__ = ["ADAMOMENTUM", "ADAM_SDE", "CLAIMS", "FLATTER_FASTER", "LOCAL_SGD", "LONG_MEMORY", "MARGINAL_VALUE"]

from lemmascope.theory.claim import Claim
from lemmascope.theory.noise.claims.adam_sde import CLAIMS as ADAM_SDE
from lemmascope.theory.noise.claims.adamomentum import CLAIMS as ADAMOMENTUM
from lemmascope.theory.noise.claims.flatter_faster import CLAIMS as FLATTER_FASTER
from lemmascope.theory.noise.claims.local_sgd import CLAIMS as LOCAL_SGD
from lemmascope.theory.noise.claims.long_memory import CLAIMS as LONG_MEMORY
from lemmascope.theory.noise.claims.marginal_value import CLAIMS as MARGINAL_VALUE

CLAIMS: dict[str, Claim] = {
    claim.id: claim for claim in (*MARGINAL_VALUE, *FLATTER_FASTER, *LOCAL_SGD, *ADAM_SDE, *ADAMOMENTUM, *LONG_MEMORY)
}
