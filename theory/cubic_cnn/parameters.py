r"""The parameters of the data law, the network and the loss; frozen, and validated at the door.

Symbols (code name in brackets): patch dimension d, patches a sample P, samples N, neurons m, signal sizes
α [alpha] ≫ β [beta], probability μ [mu] of a small margin, noise level σ [sigma], initial weights σ₀
[sigma_0], ℓ₂ penalty λ [lam], probability ρ that a label is flipped [label_noise].
"""

from __future__ import annotations

__all__ = ["HEADLINE", "REGIMES", "Parameters", "paper_regime"]

import math
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any

from lemmascope.theory.errors import InputError, check_number, check_size


@dataclass(frozen=True)
class Parameters:
    """One instance of the data law and of the network.

    Args:
        d: dimension of a patch, ≥ 2.
        N: number of samples, ≥ 2.
        P: patches a sample, ≥ 2 (one of them is the signal patch).
        m: neurons, ≥ 1.
        alpha: signal size of large-margin samples, α > β.
        beta: signal size of small-margin samples, β > 0.
        mu: probability of a small margin, in [0, 1], with μN ≥ 1 and (1 − μ)N ≥ 1.
        sigma: standard deviation of the noise patches, > 0.
        sigma_0: standard deviation of the initial weights, > 0.
        lam: ℓ₂ penalty λ ≥ 0.
        label_noise: probability ρ in [0, 1/2] that a sample's label is not that of its signal; the theorems have ρ = 0.

    Raises:
        InputError: a field is outside its range; the message names field, value and range.
    """

    d: int
    N: int
    P: int
    m: int
    alpha: float
    beta: float
    mu: float
    sigma: float
    sigma_0: float
    lam: float = 0.0
    label_noise: float = 0.0

    def __post_init__(self) -> None:
        for name, low in (("d", 2), ("N", 2), ("P", 2), ("m", 1)):
            object.__setattr__(self, name, check_size(name, getattr(self, name), low))
        for name in ("alpha", "beta", "sigma", "sigma_0"):
            object.__setattr__(self, name, check_number(name, getattr(self, name), 0, open_low=True))
        object.__setattr__(self, "lam", check_number("lam", self.lam, 0))
        object.__setattr__(self, "mu", check_number("mu", self.mu, 0, 1))
        object.__setattr__(self, "label_noise", check_number("label_noise", self.label_noise, 0, 0.5))
        if self.alpha <= self.beta:
            raise InputError("alpha", self.alpha, f"it must be greater than beta = {self.beta!r}")
        one = 1 - 1e-9  # so that μ = 1/N and 1 − 1/N, as rounded, are accepted
        if self.mu * self.N < one:
            raise InputError(
                "mu", self.mu, f"mu·N must be ≥ 1, so that a small-margin sample is expected among N = {self.N}"
            )
        if (1 - self.mu) * self.N < one:
            raise InputError(
                "mu", self.mu, f"(1 − mu)·N must be ≥ 1, so that a large-margin sample is expected among N = {self.N}"
            )

    @property
    def n(self) -> int:
        """Number of noise patches, N (P − 1)."""
        return self.N * (self.P - 1)

    @property
    def log_d(self) -> float:
        """The factor that Õ and Ω̃ stand for at finite size, max(log d, 1)."""
        return max(math.log(self.d), 1.0)

    def to_dict(self) -> dict[str, Any]:
        """The fields by name, JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Parameters:
        """The inverse of `to_dict`; unknown and missing names are refused."""
        known = {f.name: f.default for f in fields(cls)}
        for key in values:
            if key not in known:
                raise InputError("parameters", key, f"the names are {', '.join(known)}")
        missing = [name for name, default in known.items() if name not in values and default is MISSING]
        if missing:
            raise InputError("parameters", sorted(values), f"{', '.join(missing)} must be given too")
        return cls(**values)


HEADLINE = Parameters(
    d=500, N=400, P=2, m=10, alpha=5.0, beta=0.1, mu=0.2, sigma=2 / math.sqrt(500), sigma_0=0.5 / math.sqrt(500)
)
"""The reference configuration (derived: a finite size at which both sides of the theorem are seen)."""


def paper_regime(d: int, N: int = 40, P: int = 2, m: int = 5, mu: float = 0.25) -> Parameters:
    """The paper's scaling at dimension d: α = d^0.249, β = d^−0.251, σ = d^−0.509, σ₀ = d^−1/2.

    The exponents are at second hand, those of σ and σ₀ unconfirmed; sizes N, P, m, μ are free.
    """
    check_size("d", d, 2)
    return Parameters(d=d, N=N, P=P, m=m, alpha=d**0.249, beta=d**-0.251, mu=mu, sigma=d**-0.509, sigma_0=d**-0.5)


REGIMES = {"HEADLINE": lambda: HEADLINE, "paper": paper_regime}
"""Named starting points for the command line."""
