r"""The conventions of momentum: where they are one trajectory, and by how much they differ where they are not.

With θ_{t+1} = θ_t − p u_{t+1} − q∇_t and u_t = Σ_{s<t} w(t, s) ∇_s (`proofs_check.methods.kernels`), θ_t = θ_0 −
Σ_{s<t} k(t, s) ∇_s iff k(t+1, t) = p w(t+1, t) + q and k(t+1, s) = k(t, s) + p w(t+1, s).

**Dampening.** PyTorch's first buffer is the first gradient, undamped: b_1 = ∇_0, b ← γb + (1 − τ)∇. So b has τγ^t∇_0
beside the damped sum, and τ = γ, which is meant to give the average, adds γ^{t+1}∇_0 to it.

**Nesterov.** With G = ∇f(y_t) at the same point: (original) x' = y − ηG, y' = x' + γ(x' − x); (Sutskever) v' = γv − ηG,
θ' = θ + v', G taken at θ + γv; (look-ahead variable, PyTorch) u' = γu + ηG, θ̃' = θ̃ − γu' − ηG. With x = θ,
y = θ + γv = θ̃, v = x − x_before = −u at one step they hold at the next. If γ changes, the first two go on to agree when
y' takes the next γ; PyTorch's form, which uses one γ for both, does not.
"""

from __future__ import annotations

__all__ = [
    "CHAPTER",
    "dampening",
    "dampening_is_average",
    "inside_outside",
    "iterates",
    "nesterov",
    "rescaled",
    "same_under_schedule",
]

from collections.abc import Callable
from itertools import product
from typing import Any

import sympy as sp

from lemmascope.proofs_check.methods.kernels import ANY, INDUCTION, age, eta, gamma, rate, same, since, solves
from lemmascope.proofs_check.methods.reals import decide
from lemmascope.proofs_check.step import Chapter, Outcome, Planted, Step, both, open_, refuted
from lemmascope.theory.verdict import Status


def iterates(shift: Any = 0, lost: Any = 0) -> Outcome:
    """The iterates' kernels for a constant η: average, velocity (inside and outside alike), Nesterov.

    Args:
        shift: added to the exponents of γ.
        lost: a power of 1 − γ by which all of them are off.
    """
    off = (1 - gamma) ** lost
    forms = {  # κ, p, q and the kernel as a function of t − s
        "average": (1 - gamma, eta, 0, lambda age: eta * (1 - gamma ** (age + shift))),
        "velocity": (eta, 1, 0, lambda age: eta * (1 - gamma ** (age + shift)) / (1 - gamma)),
        "rate outside": (1, eta, 0, lambda age: eta * (1 - gamma ** (age + shift)) / (1 - gamma)),
        "Nesterov": (eta, gamma, eta, lambda age: eta * (1 - gamma ** (age + 1 + shift)) / (1 - gamma)),
    }
    links = []
    for name, (kappa, p, q, kernel) in forms.items():
        links.append((f"{name}, the new gradient", same(off * kernel(1), p * kappa + q, "k(t+1, t) = pκ + q")))
        step = off * (kernel(age + 2) - kernel(age + 1))
        links.append((f"{name}, those before", same(step, p * kappa * gamma ** (age + 1), "k(t+1, s) − k(t, s) = p w")))
    return both(*links)


def rescaled(power: Any = 1) -> Outcome:
    """Constant η: the velocity form at η is the average form at η/(1−γ) = Nη, kernel for kernel.

    Args:
        power: of N = 1/(1−γ) in the rescaled learning rate.
    """
    velocity = eta * (1 - gamma ** (age + 1)) / (1 - gamma)
    average = (eta / (1 - gamma) ** power) * (1 - gamma ** (age + 1))
    return both(
        ("iterates", same(velocity, average, "one kernel")),
        ("states", same(eta * gamma**age, eta / (1 - gamma) ** power * (1 - gamma) * gamma**age, "v = Nη·average")),
    )


def inside_outside(mixed: bool = False) -> Outcome:
    """The step from θ_t has the coefficient η_s γ^{t−s} on ∇_s inside and η_t γ^{t−s} outside: the exact difference.

    Args:
        mixed: whether the difference is stated with η_t in both places.
    """
    import z3

    now, then = rate(since + age), rate(since)
    inside, outside = rate(since) * gamma**age, rate(since + age) * gamma**age
    difference = (now if mixed else then) * gamma**age - now * gamma**age
    g, a, b = z3.Reals("gamma_power eta_s eta_t")
    return both(
        ("inside", solves(lambda t, s: rate(s) * gamma ** (t - 1 - s), rate)),
        ("outside, before η_t", solves(lambda t, s: gamma ** (t - 1 - s), lambda t: 1)),
        ("the difference", same(inside - outside, difference, "(η_s − η_t)γ^{t−s}")),
        (
            "zero only for equal rates",
            decide(z3.Implies(a * g == b * g, a == b), (g > 0,), what="(η_s − η_t)γ^{t−s} = 0 only if η_s = η_t"),
        ),
    )


def _apart(runs: Callable[..., tuple[sp.Expr, sp.Expr]], names: tuple[str, str], **choices: tuple[int, ...]) -> Outcome:
    """Two trajectories iterated over every choice of small rates and gradients, until one differs."""
    momentum = sp.Rational(1, 2)
    for values in product(*choices.values()):
        given = dict(zip(choices, map(sp.Integer, values), strict=True))
        one, other = runs(momentum, **given)
        if one != other:
            at = {"gamma": 0.5, **{name: float(value) for name, value in given.items()}}
            return refuted(f"{' and '.join(names)} differ", {"at": at, names[0]: float(one), names[1]: float(other)})
    return open_(f"no difference over {choices}")


def same_under_schedule() -> Outcome:
    """That the rate inside and outside give one θ_2 for every schedule."""

    def runs(momentum: Any, eta_0: Any, eta_1: Any, g_0: Any, g_1: Any) -> tuple[Any, Any]:
        inside = eta_0 * g_0 + (momentum * eta_0 * g_0 + eta_1 * g_1)
        outside = eta_0 * g_0 + eta_1 * (momentum * g_0 + g_1)
        return -inside, -outside

    return _apart(runs, ("inside", "outside"), eta_0=(1, 2), eta_1=(1, 2), g_0=(0, 1), g_1=(0, 1))


def _damped(tau: Any, first: Any, power: Any = 0) -> Outcome:
    """buf_{t+1} = (1−τ) Σ γ^{t−s} ∇_s + τγ^t ∇_0 solves buf_1 = ∇_0, buf ← γ buf + (1−τ)∇."""

    def w(t: Any, s: Any) -> Any:
        return (1 - tau) * gamma ** (t - 1 - s)

    extra = tau * gamma ** (age + power)  # of ∇_0 in buf_{n+1}
    return both(
        ("the first", same(w(1, 0) + extra.subs(age, 0), first, "buf_1 = ∇_0")),
        (
            "the first, later",
            same(w(age + 2, 0) + extra.subs(age, age + 1), gamma * (w(age + 1, 0) + extra), "decays by γ"),
        ),
        ("the new gradient", same(w(since + 1, since), 1 - tau, "1 − τ")),
        ("those before", same(w(since + age + 2, since), gamma * w(since + age + 1, since), "decay by γ")),
    )


def dampening(power: Any = 0, extra: Any = 1) -> Outcome:
    """PyTorch's dampening τ: its unrolled sum; with τ = γ it is the average form plus γ^{t+1}∇_0.

    Args:
        power: added to the exponent of γ in τγ^t∇_0.
        extra: what stands for the exponent 1 of γ in the total effect ηγ/(1−γ)∇_0 of that difference.
    """
    tau, P = sp.symbols("tau P", positive=True)
    displaced = eta * gamma * (1 - gamma ** (age + 1)) / (1 - gamma)  # Σ_{j≤t} η γ^{j+1}
    return both(
        ("unrolled", _damped(tau, 1, power)),
        (
            "τ = γ",
            same((tau * gamma ** (age + power)).subs(tau, gamma), gamma ** (age + 1), "γ^{t+1}∇_0 beside the average"),
        ),
        ("displaced, first", same(displaced.subs(age, 0), eta * gamma, "after a step")),
        ("displaced, later", same(displaced.subs(age, age + 1) - displaced, eta * gamma ** (age + 2), "one step more")),
        (
            "displaced in total",
            same(eta * gamma * (1 - P).subs(P, 0) / (1 - gamma), eta * gamma**extra / (1 - gamma), "ηγ/(1−γ) on ∇_0"),
        ),
    )


def dampening_is_average() -> Outcome:
    """That dampening = γ gives the average form's θ_2 for all gradients."""

    def runs(momentum: Any, g_0: Any, g_1: Any) -> tuple[Any, Any]:
        damped, average = g_0, (1 - momentum) * g_0
        after = damped + (momentum * damped + (1 - momentum) * g_1)
        return -after, -(average + (momentum * average + (1 - momentum) * g_1))

    return _apart(runs, ("dampening", "average"), g_0=(0, 1), g_1=(0, 1))


def nesterov(momentum: str = "constant", pace: str = "same", look: Any = 1) -> Outcome:
    """The three published forms of Nesterov's method, for any gradients, η_t of any schedule.

    Args:
        momentum: "constant", or "changing": γ' at the next step, in all three.
        pace: "same" in all forms, or "doubled" in PyTorch's.
        look: how far ahead the gradient is taken, in units of γv.
    """
    x, v, G = sp.symbols("x v G", real=True)
    ahead = sp.Symbol("next_gamma", positive=True) if momentum == "changing" else gamma
    y, theta, u = x + gamma * v, x, -v  # what the forms have in common at step t: v = x − x_before
    x_new = y - eta * G
    y_new = x_new + ahead * (x_new - x)
    v_new = gamma * v - eta * G
    theta_new = theta + v_new
    pull = eta * G if pace == "same" else 2 * eta * G
    u_new = gamma * u + pull
    tilde_new = y - gamma * u_new - pull
    return both(
        ("the gradient's point", same(theta + look * gamma * v, y, "θ + γv = y")),
        ("θ' = x'", same(theta_new, x_new, "Sutskever's θ is x")),
        ("v' = x' − x", same(v_new, x_new - x, "the velocity")),
        ("θ' + γv' = y'", same(theta_new + ahead * v_new, y_new, "the next point, with the next γ")),
        ("u' = −v'", same(u_new, -v_new, "PyTorch's buffer")),
        ("θ̃' = y'", same(tilde_new, y_new, "PyTorch's parameters are y")),
    )


CHAPTER = Chapter(
    title="The conventions of momentum",
    after=("running_average",),
    steps=(
        Step(
            id="conventions.iterates",
            statement=(
                r"for constant $\eta$: $\theta_t = \theta_0 - \sum_{s<t} k_{t-s} \nabla_s$ with $k_j = "
                r"\eta(1-\gamma^j)$ (average), $\eta\frac{1-\gamma^j}{1-\gamma}$ (velocity), "
                r"$\eta\frac{1-\gamma^{j+1}}{1-\gamma}$ (Nesterov)"
            ),
            plain="θ_t = θ_0 − Σ_{s<t} k_{t−s} ∇_s: k_j = η(1−γ^j), η(1−γ^j)/(1−γ), Nesterov η(1−γ^{j+1})/(1−γ)",
            hypotheses=(*ANY, "η constant"),
            method=INDUCTION,
            prove=iterates,
            planted=(Planted("γ off by one step", {"shift": 1}), Planted("a factor 1−γ too many", {"lost": 1})),
        ),
        Step(
            id="conventions.rescaled",
            statement=(
                r"for constant $\eta$ the velocity form at $\eta$ is the average form at $N\eta = \eta/(1-\gamma)$, "
                r"trajectory for trajectory, and $v_t = N\eta\, g_t$"
            ),
            plain="constant η: the velocity form at η is the average form at Nη = η/(1−γ), and v_t = Nη·g_t",
            hypotheses=(*ANY, "η constant"),
            method="the kernels of both, proved above, compared by SymPy",
            prove=rescaled,
            planted=(Planted("η for η/(1−γ)", {"power": 0}), Planted("η(1−γ) for η/(1−γ)", {"power": -1})),
            source="slides",
        ),
        Step(
            id="conventions.inside_outside",
            statement=(
                r"the step from $\theta_t$ has on $\nabla_s$ the coefficient $\eta_s\gamma^{t-s}$ with the rate inside "
                r"of the velocity, $\eta_t\gamma^{t-s}$ outside; the difference $(\eta_s-\eta_t)\gamma^{t-s}$ is $0$ "
                r"only if $\eta_s = \eta_t$"
            ),
            plain=(
                "inside and outside differ by (η_s − η_t)γ^{t−s} on ∇_s: one trajectory for all gradients iff η is "
                "constant"
            ),
            hypotheses=ANY,
            method="the unrolled sums by SymPy, the implication by z3",
            prove=inside_outside,
            planted=(Planted("no difference", {"mixed": True}),),
        ),
        Step(
            id="conventions.same_under_schedule",
            statement=(
                r"the learning rate inside and outside of the velocity give the same trajectory under every schedule "
                r"$\eta_t$"
            ),
            plain="rate inside and outside are one trajectory under every schedule",
            hypotheses=ANY,
            method="iterated over small schedules and gradients in exact arithmetic",
            prove=same_under_schedule,
            planted=(),
            expected=Status.REFUTED,
        ),
        Step(
            id="conventions.dampening",
            statement=(
                r"$b_1 = \nabla_0$, $b_{t+1} = \gamma b_t + (1-\tau)\nabla_t$ has $b_{t+1} = (1-\tau)\sum_{s\le "
                r"t}\gamma^{t-s}\nabla_s + \tau\gamma^t\nabla_0$; with $\tau = \gamma$ it displaces $\theta$ by "
                r"$\frac{\eta\gamma}{1-\gamma}\nabla_0$ in total beside the average form"
            ),
            plain=(
                "dampening τ: b_{t+1} = (1−τ) Σ γ^{t−s} ∇_s + τγ^t ∇_0; τ = γ adds ηγ/(1−γ) ∇_0 in total to the "
                "average form"
            ),
            hypotheses=(*ANY, "the first buffer is ∇_0, as in PyTorch", "for the total, η constant"),
            method=INDUCTION,
            prove=dampening,
            planted=(Planted("γ off by one step", {"power": 1}), Planted("ηγ²/(1−γ)", {"extra": 2})),
        ),
        Step(
            id="conventions.dampening_is_average",
            statement=r"PyTorch's dampening $= \gamma$ is the average form at the same $\eta$",
            plain="dampening = γ is the average form at the same η",
            hypotheses=(*ANY, "the first buffer is ∇_0, as in PyTorch"),
            method="iterated over small gradients in exact arithmetic",
            prove=dampening_is_average,
            planted=(),
            expected=Status.REFUTED,
        ),
        Step(
            id="conventions.nesterov",
            statement=(
                r"$x' = y - \eta_t G$, $y' = x' + \gamma(x'-x)$; $v' = \gamma v - \eta_t G$, $\theta' = \theta + v'$ "
                r"with $G$ at $\theta + \gamma v$; $u' = \gamma u + \eta_t G$, $\tilde\theta' = \tilde\theta - \gamma "
                r"u' - \eta_t G$: $x = \theta$, $y = \theta + \gamma v = \tilde\theta$, $v = -u$ at every step, for "
                r"constant $\gamma$ and any schedule $\eta_t$"
            ),
            plain="Nesterov's, Sutskever's and PyTorch's forms are one: x = θ, y = θ + γv = θ̃, v = −u at every step",
            hypotheses=(*ANY, "γ constant", "v_0 = u_0 = 0, x_0 = y_0 = θ_0 = θ̃_0"),
            method="induction over t, by SymPy; the gradient is one symbol",
            prove=nesterov,
            planted=(
                Planted("twice the rate in PyTorch's form", {"pace": "doubled"}),
                Planted("the gradient at θ", {"look": 0}),
                Planted("γ changes between the steps", {"momentum": "changing"}, hypothesis=True),
            ),
        ),
    ),
)
