"""What is said of an optimizer: nothing that is wrong or was not tried, and what does hold where something fails.

PyTorch is a stand-in (conftest.py): of it we need several parameter arrays, and gradients that are None.
"""

from itertools import combinations

import numpy as np
import pytest

from lemmascope.proofs_check.conformance import IDENTITIES, Case, Mark, Subject, seek
from lemmascope.proofs_check.conformance.assertion import assert_momentum_identities
from lemmascope.proofs_check.conformance.case import FEATURES
from lemmascope.proofs_check.conformance.identities import OF_CONVENTION, STRUCTURE
from lemmascope.proofs_check.conformance.instead import decay_of, forms_of
from lemmascope.proofs_check.conformance.kept import kept, meant_for, names_of
from lemmascope.proofs_check.conformance.search import conventions_of, judge
from lemmascope.proofs_check.conformance.trial import Trial
from lemmascope.theory.errors import InputError
from lemmascope.theory.optimizers import GD, MomentumAverage, MomentumVelocity

FEW = 30


def said(make, convention, **options):
    """The message."""
    with pytest.raises(AssertionError) as caught:
        assert_momentum_identities(make, convention, **{"examples": FEW, **options})
    return str(caught.value)


def made(form, name="made"):
    """An optimizer from (x, g, u, η, γ, t) to the new x and u."""

    def make(eta, gamma):
        def update(params, grad, state, t):
            rate, u = (eta(t) if callable(eta) else eta), (np.zeros_like(params) if state is None else state)
            return form(params, grad, u, rate, gamma, t)

        return update

    make.__name__ = name
    return make


def decaying(form):
    """An optimizer of PyTorch's form with a decay: (x, η_t, η_0, λ) to what x is before the step."""

    def make(eta, gamma, weight_decay=0.0):
        def update(params, grad, state, t):
            first, rate = (eta(0), eta(t)) if callable(eta) else (eta, eta)
            u = grad + (0 if state is None else gamma * state)
            return form(params, rate, first, weight_decay) - rate * u, u

        return update

    return make


def coupled(eta, gamma, weight_decay=0.0):
    def update(params, grad, state, t):
        u = grad + weight_decay * params + (0 if state is None else gamma * state)
        return params - (eta(t) if callable(eta) else eta) * u, u

    return update


# --- without a momentum ----------------------------------------------------------------------------------------------


def plain(eta):
    def update(params, grad, state, t):
        return params - (eta(t) if callable(eta) else eta) * grad, None

    return update


@pytest.mark.parametrize("convention", [name for name in OF_CONVENTION if name != "gd"])
def test_an_optimizer_without_momentum_keeps_no_convention_of_momentum(convention):
    with pytest.raises(InputError, match=r"takes no gamma or momentum: no momentum among \(eta\)"):
        meant_for(Subject(plain), convention)
    with pytest.raises(InputError, match="takes no gamma or momentum"):
        assert_momentum_identities(plain, convention)


def test_it_may_be_gradient_descent():
    assert meant_for(Subject(plain), "gd") == names_of("gd")
    assert conventions_of(Subject(plain), examples=10) == ("gd",)


def test_gradient_descent_with_a_wrong_sign_and_a_wrong_factor():
    def ascending(eta):
        return lambda params, grad, state, t: (params + 2 * (eta(t) if callable(eta) else eta) * grad, None)

    text = said(ascending, "gd")
    assert "It satisfies 'gd' at 2·η with the sign turned: θ moves along +∇, as with maximize" in text


# --- only what was tried ---------------------------------------------------------------------------------------------


def findings(make, names, **options):
    return judge(Subject(make), names, **{"examples": 10, **options})


@pytest.mark.parametrize("names", [["linear"], ["weight_decay[decoupled]"], [*STRUCTURE], ["no_momentum"]])
def test_nothing_is_said_of_a_convention_of_which_too_little_was_tried(names):
    found = kept("nesterov_pytorch", findings(MomentumAverage, names))
    assert found.kept is None
    assert found.holding == len({*names} & {*OF_CONVENTION["nesterov_pytorch"]})
    assert found.said.startswith("may or may not keep 'nesterov_pytorch': ")
    assert "of its 7 identities was tried" in found.said


def test_a_convention_is_kept_when_all_of_it_was_tried_and_holds():
    found = kept("velocity", findings(MomentumVelocity, names_of("velocity")))
    assert found.kept is True
    assert found.said == "keeps 'velocity' (8 of its 8 identities)"
    some = kept("velocity", findings(MomentumVelocity, names_of("velocity")[:-1]))
    assert some.kept is None
    assert some.said == "may or may not keep 'velocity': only 7 of its 8 identities were tried"


def test_it_is_not_kept_if_one_fails_and_not_decided_if_one_cannot_be_tried():
    wrong = kept("pytorch", findings(MomentumVelocity, names_of("pytorch")))
    assert wrong.kept is False
    assert wrong.said == "does not keep 'pytorch': schedule[outside] and 1 more fails"

    def number(eta, gamma):
        return lambda params, grad, state, t: (params - eta * (u := grad + (0 if state is None else gamma * state)), u)

    open_ = kept("pytorch", findings(number, names_of("pytorch")))
    assert open_.kept is None
    assert open_.said.startswith("may or may not keep 'pytorch': schedule[outside] could not be tried; ")


def test_a_decay_that_is_demanded_belongs_to_it():
    def names(kind):
        return names_of("pytorch", kind)

    decoupled = decaying(lambda x, rate, first, lam: (1 - rate * lam) * x)
    assert kept("pytorch", findings(decoupled, names("decoupled")), "decoupled").kept is True
    wrong = kept("pytorch", findings(decoupled, names("coupled")), "coupled")
    assert wrong.kept is False
    assert wrong.said == "does not keep 'pytorch' with coupled weight decay: weight_decay[coupled] fails"
    assert kept("pytorch", findings(decoupled, names("coupled"))).kept is True  # where none is demanded


# --- weight decay ----------------------------------------------------------------------------------------------------

FORMS = {
    "decoupled": lambda x, rate, first, lam: (1 - rate * lam) * x,
    "by λ alone": lambda x, rate, first, lam: (1 - lam) * x,
    "at the first rate": lambda x, rate, first, lam: (1 - first * lam) * x,
    "by the rate squared": lambda x, rate, first, lam: (1 - rate**2 * lam) * x,
    None: lambda x, rate, first, lam: x - rate * lam,
}


@pytest.mark.parametrize("name", FORMS, ids=str)
def test_the_decay_is_found(name):
    make = decaying(FORMS[name])
    assert decay_of(Subject(make), examples=FEW) == name
    marks = {
        kind: seek(IDENTITIES[f"weight_decay[{kind}]"], Subject(make), examples=FEW).mark
        for kind in ("coupled", "decoupled")
    }
    assert marks["coupled"] is Mark.FAILS
    assert marks["decoupled"] is (Mark.HOLDS if name == "decoupled" else Mark.FAILS)
    if name != "decoupled":
        text = said(make, "pytorch", weight_decay="decoupled")
        assert "Beside that, convention 'pytorch' holds." in text
        assert "Its weight decay is neither coupled nor decoupled" in text


def test_a_coupled_decay_is_found_and_one_after_the_step():
    assert decay_of(Subject(coupled), examples=FEW) == "coupled"

    def after(eta, gamma, weight_decay=0.0):
        def update(params, grad, state, t):
            rate = eta(t) if callable(eta) else eta
            u = grad + (0 if state is None else gamma * state)
            return (1 - rate * weight_decay) * (params - rate * u), u

        return update

    assert decay_of(Subject(after), examples=FEW) == "after the step"


def test_a_decay_at_the_first_rate_is_told_by_two_learning_rates():
    make = decaying(FORMS["at the first rate"])
    found = seek(IDENTITIES["weight_decay[decoupled]"], Subject(make))
    assert found.mark is Mark.FAILS
    assert len(set(found.case.eta)) == 2
    assert "η_t" in IDENTITIES["weight_decay[decoupled]"].statement
    assert "θ ← (1−η₀λ)θ beside the step, though η changes" in said(make, "pytorch", weight_decay="decoupled")


def test_a_convention_that_holds_is_not_denied_as_its_decay_is_another():
    decoupled = decaying(FORMS["decoupled"])
    assert_momentum_identities(decoupled, "pytorch", weight_decay="decoupled", examples=FEW)
    text = said(decoupled, "pytorch", weight_decay="coupled")
    assert text.startswith("momentum identity weight_decay[coupled] fails")
    assert "Beside that, convention 'pytorch' holds." in text
    assert "Its weight decay is decoupled: θ ← (1−ηλ)θ beside the step." in text
    assert "none of the conventions" not in text


# --- number types ----------------------------------------------------------------------------------------------------


def test_what_holds_instead_is_looked_for_in_the_number_types_that_were_asked_for():
    def single(eta, gamma):
        """It keeps its learning rate in float32."""

        def update(params, grad, state, t):
            u = np.float32(eta(t) if callable(eta) else eta) * grad + (0 if state is None else gamma * state)
            return params - u, u

        return update

    assert_momentum_identities(single, "velocity", dtypes="float32", examples=FEW)
    assert "It satisfies 'velocity'" in said(single, "pytorch", dtypes=("float32",))
    assert "It satisfies 'velocity'" not in said(single, "pytorch", dtypes=("float64",))


# --- forms that are no convention of the list ------------------------------------------------------------------------


def nesterov_average(x, g, u, eta, gamma, t):
    u = gamma * u + (1 - gamma) * g
    return x - eta * ((1 - gamma) * g + gamma * u), u


def seeded_average(x, g, u, eta, gamma, t):
    u = gamma * u + (1 - gamma if t else 1) * g
    return x - eta * u, u


def average_inside(x, g, u, eta, gamma, t):
    u = gamma * u + (1 - gamma) * eta * g
    return x - u, u


def sum_outside(x, g, u, eta, gamma, t):
    u = gamma * u + g
    return x - eta * u, u


@pytest.mark.parametrize("form", [nesterov_average, seeded_average, average_inside], ids=lambda f: f.__name__)
def test_the_conventions_of_muon_of_lua_torch_and_of_dropout_are_found_by_name(form):
    assert conventions_of(Subject(made(form)), examples=FEW) == (form.__name__,)
    assert f"It satisfies '{form.__name__}'" in said(made(form), "average")
    assert_momentum_identities(made(form), form.__name__, examples=FEW)


def quasi_hyperbolic(nu):
    def form(x, g, u, eta, gamma, t):
        u = gamma * u + (1 - gamma) * g
        return x - eta * ((1 - nu) * g + nu * u), u

    return form


def scaled(k, form=sum_outside):
    return lambda x, g, u, eta, gamma, t: form(x, g, u, k * eta, gamma, t)


def dampened(x, g, u, eta, gamma, t):
    u = gamma * u + (0.75 if t else 1) * g
    return x - eta * u, u


def inside_over(x, g, u, eta, gamma, t):
    u = gamma * u + eta / (1 - gamma) * g
    return x - u, u


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (quasi_hyperbolic(0.5), "the quasi-hyperbolic form at ν = 1/2"),
        (quasi_hyperbolic(0.7), "the quasi-hyperbolic form at ν = 7/10"),
        (scaled(2), "'pytorch' at 2·η"),
        (scaled(0.1), "'pytorch' at 1/10·η"),
        (scaled(-1), "'pytorch' with the sign turned: θ moves along +∇, as with maximize"),
        (scaled(-0.5, average_inside), "'average_inside' at 1/2·η with the sign turned"),
        (dampened, "'pytorch' with dampening τ = 1/4"),
        (inside_over, "'velocity' at η/(1−γ)"),
    ],
)
def test_a_form_up_to_a_factor_in_the_learning_rate_its_sign_or_a_parameter_is_found(form, words):
    found = forms_of(Subject(made(form)), dtypes=("float32", "float64"), examples=FEW)
    assert found[0].startswith(words)
    text = said(made(form), "average")
    assert f"It satisfies {found[0]}" in text
    assert "none of the conventions" not in text


@pytest.mark.parametrize("power", [2, 3])
def test_no_form_is_made_up(power):
    """γ^power for γ: the responses part only later."""
    make = made(lambda x, g, u, eta, gamma, t: (x - eta * (u := gamma**power * u + g), u))
    assert forms_of(Subject(make), examples=FEW) == []
    text = said(make, "pytorch")
    assert "It satisfies none of the conventions" in text
    assert "a gradient of 1 in the first step only takes θ from 0 to -1, " in text


# --- several arrays, matrices, missing gradients, momentum that changes: PyTorch's interface ------------------------


@pytest.fixture
def planted(torch):
    """Makes a class with a wrong step; from (optimizer, group, parameters of all groups)."""

    class Base(torch.HeavyBall):
        def __init__(self, params, lr, momentum, weight_decay=0.0, maximize=False):
            super().__init__(params, lr, momentum)
            self.lam, self.sign, self.made_with = weight_decay, -1 if maximize else 1, (lr, momentum)

        def decayed(self, p, lr):
            p.array[...] = p.array * (1 - lr * self.lam)

        def moved(self, key, p, lr, gamma):
            if p.grad is not None:
                self.state[key] = gamma * self.state.get(key, 0) + self.sign * p.grad.array
                p.array[...] = p.array - np.asarray(lr, p.dtype) * self.state[key]

        def each(self):
            return enumerate((group, p) for group in self.param_groups for p in group["params"])

        def step(self):
            for key, (group, p) in self.each():
                if p.grad is not None:
                    self.decayed(p, group["lr"])
                self.moved(key, p, group["lr"], group["momentum"])

    return Base


def test_a_right_one_keeps_all(planted):
    found = assert_momentum_identities(planted, "pytorch", weight_decay="decoupled", examples=FEW)
    marks = {f.identity: f.mark for f in found}
    assert {name for name, mark in marks.items() if mark is not Mark.HOLDS} <= {"dampening[after_first]"}
    assert marks["missing_gradient"] is marks["maximize"] is marks["momentum_schedule[pytorch]"] is Mark.HOLDS
    assert {f.identity: f for f in found}["reproducible"].over == tuple(sorted(IDENTITIES["reproducible"].over))


def test_a_decay_of_all_arrays_for_each_is_found(planted):
    class EachForAll(planted):
        def decayed(self, p, lr):
            for _, (_, q) in self.each():
                super().decayed(q, lr)

    found = seek(IDENTITIES["independent"], Subject(EachForAll))
    assert found.mark is Mark.FAILS
    assert found.case.weight_decay
    assert len(found.case.arrays) == 2
    assert seek(IDENTITIES["weight_decay[decoupled]"], Subject(EachForAll)).mark is Mark.FAILS


def test_a_decay_that_is_written_into_the_gradient_is_found(planted):
    class IntoGradient(planted):
        def decayed(self, p, lr):
            p.grad.array[...] = p.grad.array + self.lam * p.array

    text = said(IntoGradient, "pytorch", weight_decay="coupled")
    assert text.startswith("momentum identity inputs_untouched fails for IntoGradient")
    assert "weight_decay = " in text
    assert "a step writes into its gradient" in text
    assert "It holds without weight decay." in text


def test_a_schedule_that_reaches_the_first_array_only_is_found(planted):
    class FirstOnly(planted):
        def moved(self, key, p, lr, gamma):
            super().moved(key, p, lr if key == 0 else self.made_with[0], gamma)

    found = seek(IDENTITIES["schedule[outside]"], Subject(FirstOnly))
    assert found.mark is Mark.FAILS
    assert (len(found.case.arrays), len(set(found.case.eta))) == (2, 2)
    assert seek(IDENTITIES["unrolled[velocity]"], Subject(FirstOnly)).mark is Mark.HOLDS


def test_matrices_that_are_treated_otherwise_are_found(planted):
    class SignOfMatrices(planted):
        def moved(self, key, p, lr, gamma):
            if p.array.ndim > 1 and p.grad is not None:
                self.state[key] = gamma * self.state.get(key, 0) + p.grad.array
                p.array[...] = p.array - np.asarray(lr, p.dtype) * np.sign(self.state[key])
            else:
                super().moved(key, p, lr, gamma)

    text = said(SignOfMatrices, "pytorch")
    for name in ("scale", "linear", "first_step[full]", "schedule[outside]"):
        assert name in text
        found = seek(IDENTITIES[name], Subject(SignOfMatrices))
        assert found.mark is Mark.FAILS
        assert any(len(shape) > 1 for shape in found.case.arrays)


def test_a_parameter_without_a_gradient_that_goes_on_moving_is_found(planted):
    class Moving(planted):
        def moved(self, key, p, lr, gamma):
            if p.grad is not None:
                super().moved(key, p, lr, gamma)
            elif key in self.state:
                self.state[key] = gamma * self.state[key]
                p.array[...] = p.array - np.asarray(lr, p.dtype) * self.state[key]

    found = seek(IDENTITIES["missing_gradient"], Subject(Moving))
    assert found.mark is Mark.FAILS
    assert found.reason == "in step 1 array 0 has no gradient and yet moves, from -1 to -1.5"


def test_a_buffer_that_fades_without_a_gradient_is_found(planted):
    class Fading(planted):
        def moved(self, key, p, lr, gamma):
            if p.grad is not None:
                super().moved(key, p, lr, gamma)
            elif key in self.state:
                self.state[key] = gamma * self.state[key]

    found = seek(IDENTITIES["missing_gradient"], Subject(Fading))
    assert found.mark is Mark.FAILS
    assert "array 0 without a gradient in step 1: θ_3 should be " in found.reason


def test_a_momentum_that_is_read_once_is_found_where_it_changes(planted):
    class Frozen(planted):
        def moved(self, key, p, lr, gamma):
            super().moved(key, p, lr, self.made_with[1])

    text = said(Frozen, "pytorch")
    assert text.startswith("momentum identity momentum_schedule[pytorch] fails for Frozen")
    assert "γ = (0.5, 0.75)" in text or "γ = (0.75, 0.5)" in text
    assert "Where γ does not change, convention 'pytorch' holds." in text


def test_a_maximize_that_turns_the_decay_too_is_found(planted):
    class Turned(planted):
        def decayed(self, p, lr):
            p.array[...] = p.array * (1 - self.sign * lr * self.lam)

    found = seek(IDENTITIES["maximize"], Subject(Turned))
    assert found.mark is Mark.FAILS
    assert found.case.weight_decay
    assert found.case.maximize
    assert seek(IDENTITIES["maximize"], Subject(planted)).mark is Mark.HOLDS


def test_an_optimizer_of_one_array_is_not_asked_for_several(torch):
    assert Trial(Subject(GD)).lacks("missing_gradient", "float64") is not None
    assert Trial(Subject(torch.HeavyBall)).lacks("missing_gradient", "float64") is None


# --- whatever goes wrong where ---------------------------------------------------------------------------------------

PLACES = [frozenset(few) for count in (1, 2) for few in combinations(FEATURES, count)]


@pytest.mark.parametrize("where", PLACES, ids=lambda few: " and ".join(sorted(few)))
def test_what_goes_wrong_only_in_cases_with_some_features_is_found(planted, where):
    """One feature or two together; in everything else the optimizer is right."""

    class Wrong(Subject):
        def trajectory(self, case, *args, **kwargs):
            found = super().trajectory(case, *args, **kwargs)
            if where <= case.features:
                found[1:] += 2 * np.abs(found[1:]) + 1
            return found

    trial = Trial(Wrong(planted, "Wrong"))
    names = reversed(names_of("pytorch", "decoupled"))
    marks = (seek(IDENTITIES[name], trial, dtypes=("float64",), shrink=False).mark for name in names)
    assert any(mark is Mark.FAILS for mark in marks)


def test_a_trajectory_by_the_sizes_of_its_vectors(planted):
    case = Case((0.0, 0.0), ((1.0, 1.0), (1.0, 1.0)), (1.0, 2.0), 0.5)
    assert Subject(planted).trajectory(case, [1, 1]).tolist() == [[0, 0], [-1, -1], [-4, -4]]
