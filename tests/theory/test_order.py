"""Exponents: the fit finds those that are there, its interval covers them, and a claim comes out as constructed."""

import json
import math

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from tolerances import assert_close, tolerance

from lemmascope.sims import slopes
from lemmascope.sims.judge import judge
from lemmascope.sims.slopes import fit_slope, fit_slopes
from lemmascope.theory.claim import Evidence, Hypothesis
from lemmascope.theory.errors import InputError
from lemmascope.theory.order import Slope, beside, estimate, exponent_claim, log_allowance, slope_of
from lemmascope.theory.verdict import Kind, Status

SIZES = tuple(10.0**k for k in range(3, 9))
SPREADS = (0.3, 0.6, 0.2, 0.5, 0.4, 0.8)


def noisy(exponent, seeds, stream, spreads=SPREADS, sizes=SIZES):
    rng = np.random.default_rng((2024, seeds, stream))
    return {d: d**exponent * np.exp(s * rng.standard_normal(seeds)) for d, s in zip(sizes, spreads, strict=True)}


# --- the fit -------------------------------------------------------------------------------------------------------


@given(st.floats(-3, 3), st.floats(1e-3, 1e3), st.lists(st.integers(2, 10**6), min_size=5, max_size=9, unique=True))
def test_an_exact_power_law_is_recovered(exponent, factor, sizes):
    """Relative to the spread of log d; without any, the interval is a point."""
    found = fit_slope({float(d): [factor * float(d) ** exponent] * 3 for d in sizes})
    u = np.log(sorted(sizes))
    assert_close(found.value, exponent, scale=(3 * u.max() + math.log(1e3)) / u.std())
    assert found.low == found.value == found.high
    assert found.sizes == tuple(sorted(float(d) for d in sizes))
    assert found.counts == (3,) * len(sizes)
    assert_close(found.means, math.log(factor) + exponent * u, scale=math.log(1e3) + 3 * u.max())
    assert_close(found.errors, np.zeros(len(sizes)), scale=math.log(1e3) + 3 * u.max())


def test_the_interval_covers_the_truth():
    """In about 95 % of 200 repetitions with the study's 20 seeds a size; and it is no wider than it need be."""
    covered, width = 0, 0.0
    for repetition in range(200):
        found = fit_slope(noisy(0.5, 20, repetition), root_seed=repetition)
        covered += found.low <= 0.5 <= found.high
        width += (found.high - found.low) / 200
        assert found.low < found.value < found.high
    assert covered >= 170
    u, weights = np.log(SIZES), 20 / np.array(SPREADS) ** 2
    centre = weights @ u / weights.sum()
    needed = 2 * 1.96 / math.sqrt(weights @ (u - centre) ** 2)
    assert 0.8 * needed < width < 1.25 * needed


def test_the_fit_is_weighted_least_squares():
    """By NumPy's polynomial fit, whose weights are one over the standard errors; a noisy size counts less."""
    samples = noisy(0.5, 8, 0)
    samples[SIZES[-1]] = samples[SIZES[-1]] ** 3 * 1e-8
    found = fit_slope(samples)
    logs = [np.log(values) for values in samples.values()]
    errors = np.array([x.std(ddof=1) / math.sqrt(8) for x in logs])
    means = np.array([x.mean() for x in logs])
    assert_close(found.value, np.polyfit(np.log(SIZES), means, 1, w=1 / errors)[0], "linear solve")
    assert_close(found.means, means)
    assert_close(found.errors, errors)
    plain = np.polyfit(np.log(SIZES), means, 1)[0]
    assert abs(found.value - 0.5) < abs(plain - 0.5) / 2


def test_seeds_that_agree_do_not_outweigh_all_others():
    """A size without spread counts as if its error were a thousandth of the largest one."""
    samples = noisy(0.5, 8, 1)
    samples[SIZES[0]] = np.full(8, SIZES[0] ** 0.5)
    found = fit_slope(samples)
    errors = np.array(found.errors)
    assert errors[0] < tolerance("identity")
    floored = np.maximum(errors, 1e-3 * errors.max())
    assert_close(found.value, np.polyfit(np.log(SIZES), found.means, 1, w=1 / floored)[0], "linear solve")
    assert found.low < found.high


def test_what_has_no_logarithm_is_left_out():
    clean = {d: list(values) for d, values in noisy(0.5, 6, 2).items()}
    dirty = {d: [math.nan, *values[:3], -1.0, 0.0, math.inf, -math.inf, *values[3:]] for d, values in clean.items()}
    dirty[10.0] = [math.nan, 1.0, 0.0]  # one value is not enough
    assert fit_slope(dirty) == fit_slope(clean)
    assert fit_slope(dirty).counts == (6,) * 6


def test_the_order_of_sizes_does_not_matter_and_the_seed_is_fixed():
    samples = noisy(0.5, 6, 3)
    found = fit_slope(samples, root_seed=1)
    assert fit_slope(dict(reversed(samples.items())), root_seed=1) == found
    assert fit_slope(samples, root_seed=2) != found
    assert fit_slope(samples, root_seed=2).value == found.value


@pytest.mark.parametrize("spoil", ["missing", "one seed", "never"])
def test_too_few_sizes_are_refused(spoil):
    samples = {d: list(values) for d, values in noisy(0.5, 3, 4).items() if d > 1e3}
    assert len(fit_slope(samples).sizes) == slopes.LEAST_SIZES == 5
    if spoil == "missing":
        del samples[1e5]
    else:
        samples[1e5] = [2.0, math.nan] if spoil == "one seed" else [math.nan] * 3
    with pytest.raises(InputError, match=r"sizes = \['10000', '1e\+06', '1e\+07', '1e\+08'\].*needs 5 sizes"):
        fit_slope(samples)


@pytest.mark.parametrize("size", [0.0, -1.0, math.inf, math.nan])
def test_a_size_without_a_logarithm_is_refused(size):
    with pytest.raises(InputError, match=r"sizes = .*finite number > 0"):
        fit_slope({**noisy(0.5, 3, 5), size: [1.0, 2.0]})


def test_where_the_axis_crosses_one_its_logarithm_has_none():
    """log |log x| is a straight way up or down on either side of 1, and infinite there."""
    up = {d: [d**0.5, 2 * d**0.5] for d in SIZES}
    down = {1 / d: [d**0.5, 2 * d**0.5] for d in SIZES}
    assert_close(fit_slope(down).value, -0.5)
    assert_close(fit_slope(down).logarithm, -fit_slope(up).logarithm, scale=1.0)
    for low in (1.0, 0.1):
        assert math.isnan(fit_slope({**up, low: [low, 2 * low]}).logarithm)


# --- the fits of labelled data -------------------------------------------------------------------------------------


def labelled(exponents=(0.5, -0.25), seeds=20, stream=0, axis="d", sizes=SIZES):
    """Variables a, b, … with these exponents, over (axis, seed)."""
    data = {}
    for k, (name, exponent) in enumerate(zip("abcdef", exponents, strict=False)):
        samples = noisy(exponent, seeds, 10 * stream + k, sizes=sizes)
        data[name] = ((axis, "seed"), np.array([samples[d] for d in sizes]))
    return xr.Dataset(data, {axis: list(sizes), "seed": np.arange(seeds)})


def test_labelled_data_are_fitted_as_samples_are():
    data = labelled(axis="width").isel(width=[3, 0, 5, 1, 2, 4])
    data["b"].loc[{"width": 1e3, "seed": 4}] = np.nan
    data["b"].loc[{"width": 1e4, "seed": 4}] = 0.0
    found = fit_slopes(data, ["b", "a"], "width", root_seed=3)
    assert found["quantity"].values.tolist() == ["b", "a"]
    for name in ("a", "b"):
        samples = {float(d): data[name].sel(width=d).values.tolist() for d in data.width.values}
        assert slope_of(found, name) == fit_slope(samples, root_seed=3)
    assert found["missing"].sel(quantity="b").values.tolist() == [1, 1, 0, 0, 0, 0]
    assert found["not_positive"].sel(quantity="b").values.tolist() == [0, 1, 0, 0, 0, 0]
    assert found["count"].sel(quantity="b").values.tolist() == [19, 19, 20, 20, 20, 20]
    assert found["seed"].values.tolist() == data["seed"].values.tolist()


def test_the_order_of_dimensions_does_not_matter():
    data = labelled()
    xr.testing.assert_identical(fit_slopes(data, ["a"]), fit_slopes(data.transpose("seed", "d"), ["a"]))


def test_what_cannot_be_fitted_has_no_slope():
    data = labelled()
    data["b"][1:3] = np.nan
    found = fit_slopes(data, ["a", "b"])
    assert found["slope"].notnull().values.tolist() == [True, False]
    assert slope_of(found, "b").counts == (20,) * 4


def test_a_control_is_fitted_beside():
    data, control = labelled(), labelled((0.9, 0.9), seeds=5, stream=1)
    found = fit_slopes(data, ["a", "b"], control=control, root_seed=2)
    for of, each in (("data", data), ("control", control)):
        alone = fit_slopes(each, ["a", "b"], root_seed=2)
        for name in ("a", "b"):
            assert slope_of(found.sel(of=of), name) == slope_of(alone, name)
    made = beside(Evidence(found, "GD"), quantity="a")
    assert made.label == "GD"
    assert slope_of(made.data, "a") == slope_of(found.sel(of="control"), "a")
    assert beside(Evidence(fit_slopes(data, ["a"]), "GD"), quantity="a") is None
    control["b"][1:3] = np.nan
    found = Evidence(fit_slopes(data, ["a", "b"], control=control), "GD")
    assert beside(found, quantity="b") is None
    assert beside(found, quantity="a") is not None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: fit_slopes(labelled(), ["z"]), "quantity = 'z'.*variable over d and seed"),
        (lambda: fit_slopes(labelled().expand_dims("case"), ["a"]), "quantity = 'a'.*variable over d and seed"),
        (lambda: fit_slopes(labelled(), ["a"], "width"), "data = .*must have the dimension width"),
        (lambda: fit_slopes(labelled().isel(seed=0), ["a"]), "data = .*must have the dimension seed"),
        (lambda: fit_slopes(labelled().isel(d=[0, 0, 1, 2, 3, 4]), ["a"]), "d = .*each value must occur once"),
        (lambda: fit_slopes(labelled(), ["a"], control=labelled().isel(d=slice(5))), "control = .*values of d"),
    ],
)
def test_wrong_data_are_refused(make, said):
    with pytest.raises(InputError, match=said):
        make()


# --- logarithms ----------------------------------------------------------------------------------------------------


@given(st.floats(2, 1e6), st.floats(1.5, 1e12), st.floats(-3, 3))
def test_a_logarithm_moves_the_slope_between_the_ends_by_the_allowance(d_1, ratio, exponent):
    d_2 = d_1 * ratio
    at = [exponent * math.log(d) + math.log(math.log(d)) for d in (d_1, d_2)]
    slope = (at[1] - at[0]) / (math.log(d_2) - math.log(d_1))
    scale = (1 + abs(exponent)) * (1 + math.log(d_2)) / math.log(ratio)
    assert_close(slope, exponent + log_allowance(d_1, d_2), scale=scale)


@pytest.mark.parametrize("sizes", [SIZES, tuple(10.0**k for k in range(3, 13)), tuple(10.0**k for k in range(2, 18))])
def test_a_fit_with_equal_weights_moves_by_no_more(sizes):
    """The slope of log log d is the mean of its derivative 1/log d, which is convex, with a weight that is largest in
    the middle; between the ends the weight is even."""
    found = fit_slope({d: [d**0.5 * math.log(d)] * 2 for d in sizes})
    allowed = log_allowance(sizes[0], sizes[-1])
    assert 0.8 * allowed < found.value - 0.5 <= allowed


# --- claims --------------------------------------------------------------------------------------------------------

FREE = log_allowance(1e3, 1e7)
FIVE = (1e3, 1e4, 1e5, 1e6, 1e7)


def slope(low, high):
    return Slope((low + high) / 2, low, high, FIVE, (20,) * 5, (0.0, 1.0, 2.0, 3.0, 4.0), (0.1,) * 5)


def slopes_of(*each, seeds=20, missing=(0, 0, 0, 0, 0), not_positive=0):
    """Data as fitted, made of the slopes of one quantity q: the data's own, and a control's or None.

    ``missing`` at each size, of which ``not_positive`` at the first.
    """
    made = []
    for one in each:
        one = one or Slope(*(math.nan,) * 3, FIVE, (1,) * 5, (math.nan,) * 5, (math.nan,) * 5)
        values = {"slope": one.value, "low": one.low, "high": one.high, "logarithm": log_allowance(1e3, 1e7)}
        counts = tuple(min(count, seeds - lost) for count, lost in zip(one.counts, missing, strict=True))
        by = {"count": counts, "mean": one.means, "error": one.errors, "missing": missing}
        by["not_positive"] = (not_positive, 0, 0, 0, 0)
        made.append(
            xr.Dataset(
                {name: ("quantity", [x]) for name, x in values.items()}
                | {name: (("quantity", "d"), [row]) for name, row in by.items()},
                {"quantity": ["q"], "d": list(FIVE), "seed": range(seeds)},
            )
        )
    if len(made) == 1:
        return made[0]
    index = xr.DataArray(["data", "control"], dims="of", name="of")
    return xr.concat(made, index, data_vars="all", coords="minimal", compat="override", join="override")


CLAIM = exponent_claim("test.order", "q", 0.5, source="derived", control="another one")
FOUND = estimate(slope(0, 1), 0.5)
BAND = FOUND.lower, FOUND.upper
OUTSIDE = math.nextafter(BAND[0], 0), math.nextafter(BAND[1], 1)
CASES = [
    (0.5, 0.5, "HOLDS"),
    (*BAND, "HOLDS"),
    (0.5 - FREE / 2, 0.5 + FREE / 2, "HOLDS"),
    (OUTSIDE[0], 0.5, "INCONCLUSIVE"),
    (0.5, OUTSIDE[1], "INCONCLUSIVE"),
    (-1.0, 2.0, "INCONCLUSIVE"),
    (0.0, BAND[0], "INCONCLUSIVE"),
    (BAND[1], 1.0, "INCONCLUSIVE"),
    (0.0, OUTSIDE[0], "REFUTED"),
    (OUTSIDE[1], 1.0, "REFUTED"),
    (-0.5, -0.4, "REFUTED"),
]


def judged(*each, claim=CLAIM, **rest):
    (found,) = judge(claim, Evidence(slopes_of(*each, **rest), "GD"))
    return found


def test_the_band():
    assert_close(BAND, (0.5 - FREE, 0.5 + FREE))
    for rest, free in (
        ({"factors": 2.0}, 2 * FREE),
        ({"factors": 0.0}, 0.0),
        ({"factors": 0.0, "within": 0.1}, 0.1),
        ({"within": 0.1}, FREE + 0.1),
    ):
        found = estimate(slope(0, 1), 0.5, **rest)
        assert_close((found.lower, found.upper), (0.5 - free, 0.5 + free))
        assert f" in [{found.lower:.3f}, {found.upper:.3f}]" in found.says
        assert ("factors of log d" in found.says) == (rest.get("factors", 1) > 0)


@pytest.mark.parametrize(("low", "high", "status"), CASES)
def test_the_status_by_construction(low, high, status):
    found = judged(slope(low, high))
    assert found.status is Status(status)
    assert (found.margin >= 0) == (status == "HOLDS")
    assert found.seeds == tuple(range(20))
    assert found.holding == ()  # one slope of twenty seeds
    assert found.witness == ({"value": (low + high) / 2, "low": low, "high": high} if status == "REFUTED" else None)


@pytest.mark.parametrize("control", [None, (2.0, 2.1), (0.5, 0.5), (0.0, 1.0)])
@pytest.mark.parametrize("own", [(0.5, 0.5), (2.0, 2.1), (0.0, 1.0)])
def test_the_verdict_is_complete(own, control):
    other = None if control is None else slope(*control)
    found = judged(slope(*own), other)
    assert (found.claim, found.label, found.kind) == ("test.order", "GD", Kind.ORDER)
    assert (found.statement, found.plain) == (r"$q = \tilde\Theta(d^{0.5})$", "q = Θ̃(d^0.5) up to factors of log d")
    assert found.source == "derived"
    assert found.expected is Status.HOLDS
    assert (found.computed, found.lower, found.upper) == (sum(own) / 2, *BAND)
    assert found.margin == min(own[0] - BAND[0], BAND[1] - own[1])
    outcome = "not run" if other is None else judged(other).status.value
    assert found.control == {"description": "another one", "status": outcome}
    assert found.as_expected == (own == (0.5, 0.5) and control in (None, (2.0, 2.1)))
    assert found.uncontrolled == (control is None and own != (0.0, 1.0))
    assert found.evidence == {
        "interval": list(own),
        "counts": [20] * 5,
        "sizes": [1e3, 1e4, 1e5, 1e6, 1e7],
        "mean log": [0.0, 1.0, 2.0, 3.0, 4.0],
        "standard error": [0.1] * 5,
        "control slope": None if control is None else [sum(control) / 2, *control],
    }
    for number in (f"{sum(own) / 2:.3f}", f"{own[0]:.3f}", "5 sizes", "predicted 0.500"):
        assert number in found.reason
    assert json.dumps(found.evidence, allow_nan=False)


@pytest.mark.parametrize("own", [(0.5, 0.5), (2.0, 2.1), (0.0, 1.0)])
def test_few_seeds_decide_nothing(own):
    """An interval that decides nothing anyway needs no other reason; the control is what it is."""
    found = judged(slope(*own), slope(2.0, 2.1), seeds=14)
    assert found.status is Status.INCONCLUSIVE
    words = "14 seeds a size are too few for the interval, take 15; slope"
    assert found.reason.startswith(words) == (own != (0.0, 1.0))
    assert found.control["status"] == "REFUTED"


def test_missing_values_cannot_be_left_out():
    """More than a tenth of them; they are the slow ones."""
    for missing, status in (((2,) * 5, Status.HOLDS), ((3, 2, 2, 2, 2), Status.INCONCLUSIVE)):
        found = judged(slope(0.5, 0.5), slope(2.0, 2.1), missing=missing)
        assert found.status is status
        assert list(found.evidence["seeds left out, by d"].values()) == list(missing)
        assert found.control["status"] == "REFUTED"
    assert found.reason.startswith("11% of the runs have no value, and cannot be left out; slope 0.500")
    both = judged(slope(0.5, 0.5), slope(2.0, 2.1), missing=(11, 0, 0, 0, 0), seeds=14)
    assert both.reason.startswith("16% of the runs have no value, and cannot be left out; 14 seeds a size are too few")


@pytest.mark.parametrize("own", [(0.5, 0.5), (2.0, 2.1)])
def test_a_tenth_may_be_missing_at_each_size(own):
    """A share of all is no measure: a size of which most is lost would still count as one."""
    found = judged(slope(*own), slope(2.0, 2.1), missing=(0, 3, 0, 0, 0))
    assert (found.status, found.control["status"]) == (Status.INCONCLUSIVE, "REFUTED")
    assert found.reason.startswith("15% of the runs at d = 10000 have no value, and cannot be left out; slope")


@pytest.mark.parametrize("own", [(0.5, 0.5), (2.0, 2.1), (0.0, 1.0)])
def test_the_smallest_number_of_values_at_a_size_decides(own):
    """One of fifteen may be missing, and leaves fourteen."""
    found = judged(slope(*own), slope(2.0, 2.1), missing=(0, 0, 1, 0, 0), seeds=15)
    assert (found.status, found.control["status"]) == (Status.INCONCLUSIVE, "REFUTED")
    words = "14 seeds at d = 100000 are too few for the interval, take 15; slope"
    assert found.reason.startswith(words) == (own != (0.0, 1.0))


def test_one_seed_of_twenty_may_be_missing():
    found = judged(slope(0.5, 0.5), slope(2.0, 2.1), missing=(1, 0, 0, 0, 0), not_positive=1)
    assert (found.status, found.seeds) == (Status.HOLDS, tuple(range(20)))
    assert found.reason.startswith("slope 0.500")
    assert found.evidence["seeds left out, by d"] == {"1000": 1}


# What is left of a size: nothing, zeros, or one value.
LOST = {"nan": [math.nan] * 20, "zero": [0.0] * 20, "one value": [1.0, *[-1.0] * 19]}


@pytest.mark.parametrize("values", LOST.values(), ids=LOST)
def test_a_size_that_takes_no_part_decides_nothing(values):
    """Though it be one of twelve, and less than a tenth of all values."""
    data = xr.concat([labelled((0.5,)), labelled((0.5,), stream=1, sizes=[1e6 * d for d in SIZES])], "d")
    claim = exponent_claim("mine.a", "a", 0.5)
    (whole,) = judge(claim, fit_slopes(data, ["a"]))
    data["a"].loc[{"d": 1e9}] = values
    fitted = fit_slopes(data, ["a"])
    assert len(slope_of(fitted, "a").sizes) == 11
    (found,) = judge(claim, fitted)
    assert (whole.status, found.status) == (Status.HOLDS, Status.INCONCLUSIVE)
    assert "and cannot be left out; fewer than two values are left at d = 1e+09, and it takes no part" in found.reason
    assert found.control["status"] == "REFUTED"


def test_zeros_are_missing_and_are_told():
    """18 of 20 seeds at 0 left two, which stood for twenty."""
    data = labelled((0.5,))
    data["a"].loc[{"seed": range(18)}] = 0.0
    (found,) = judge(exponent_claim("mine.a", "a", 0.5), fit_slopes(data, ["a"]))
    assert found.status is Status.INCONCLUSIVE
    words = "90% of the runs have no value or have a value ≤ 0, and cannot be left out; 2 seeds at d = 1000 are too few"
    assert found.reason.startswith(words)
    assert found.evidence["seeds left out, by d"] == {f"{d:g}": 18 for d in SIZES}


def test_a_condition_that_differs_by_seed_is_refused():
    """The slopes are fitted already: cutting the coordinate would leave every number as it is."""
    fitted = fit_slopes(labelled((0.5,)), ["a"])

    def verdict(holds):
        (found,) = judge(exponent_claim("mine.a", "a", 0.5, assumes=(Hypothesis("odd", "odd", holds),)), fitted)
        return found

    with pytest.raises(InputError, match=r"hypothesis = 'odd'.*differs by seed.*before the fit"):
        verdict(lambda evidence: evidence["seed"] % 2 == 1)
    assert verdict(lambda evidence: evidence["seed"] >= 0).status is Status.HOLDS
    assert verdict(lambda evidence: True).status is Status.HOLDS
    for never in (lambda evidence: evidence["seed"] < 0, lambda evidence: False):
        assert verdict(never).reason == "hypothesis odd fails"


def test_too_few_sizes_decide_nothing():
    found = judged(None, slope(2.0, 2.1))
    assert found.status is Status.INCONCLUSIVE
    assert found.reason.startswith("a slope needs 5 sizes with two seeds or more, and has 0; slope nan")
    assert found.control["status"] == "REFUTED"


def test_an_exponent_of_ones_own_in_three_lines():
    """Any quantity against any axis, with a control that comes with it."""
    data = labelled((-0.5, 0.25), axis="width")
    claim = exponent_claim("mine.risk", "a", -0.5, axis="width")
    (verdict,) = judge(claim, fit_slopes(data, ["a", "b"], axis="width"))
    assert (verdict.status, verdict.control["status"]) == (Status.HOLDS, "REFUTED")
    assert verdict.as_expected
    assert "log width" in verdict.reason
    assert "width" in verdict.plain
    assert verdict.control["description"] == "the nearest exponent that it must exclude"


@pytest.mark.parametrize(("factors", "within"), [(1.0, 0.0), (0.0, 0.05), (0.0, 0.0), (2.0, 0.1)])
@pytest.mark.parametrize("width", [0.0, 0.02, 0.4])
@pytest.mark.parametrize("at", [-1.0, -0.6, 0.0, 0.5, 1.0])
def test_the_control_that_comes_with_it_is_the_nearest_wrong_exponent(factors, within, width, at):
    """It is refuted wherever the statement is not, on either side, and it fits data whose exponent it is."""
    free = within + factors * FREE
    claim = exponent_claim("test.order", "q", 0.5, factors=factors, within=within)

    def judged_at(middle):
        found = judged(slope(middle - width / 2, middle + width / 2), claim=claim)
        return found.status, found.control["status"]

    status, control = judged_at(0.5 + at * max(free + width / 2 - 1e-12, 0.0))
    assert status in (Status.HOLDS, Status.INCONCLUSIVE)
    assert control == "REFUTED"
    if at and free:  # the old control, an exponent off by more than one, was refuted there too
        status, control = judged_at(0.5 + math.copysign(2 * free + 1.001 * width + 1e-9, at))
        assert status is Status.REFUTED
        assert control == ("HOLDS" if width < 2 * free else "INCONCLUSIVE")


@pytest.mark.parametrize("seeds", [2, 3, 20])
def test_that_control_is_refuted_at_any_number_of_seeds(seeds):
    (found,) = judge(exponent_claim("mine.a", "a", 0.5), fit_slopes(labelled((0.5,), seeds=seeds), ["a"]))
    assert found.control["status"] == "REFUTED"


def test_an_axis_on_both_sides_of_one_is_given_its_room():
    data = labelled((0.5,), axis="rate", sizes=(0.1, 0.3, 1.0, 3.0, 10.0, 30.0))
    fitted = fit_slopes(data, ["a"], axis="rate")
    (verdict,) = judge(exponent_claim("mine.a", "a", 0.5, axis="rate"), fitted)
    assert verdict.status is Status.INCONCLUSIVE
    (verdict,) = judge(exponent_claim("mine.a", "a", 0.5, axis="rate", factors=0, within=0.15), fitted)
    assert verdict.status is Status.HOLDS
    assert verdict.as_expected


def test_other_data_and_unknown_quantities_are_refused():
    with pytest.raises(InputError, match=r"slopes that sims\.slopes\.fit_slopes fitted"):
        judge(CLAIM, labelled())
    with pytest.raises(InputError, match=r"test\.order.*KeyError"):
        judge(CLAIM, fit_slopes(labelled(), ["a"]))


@pytest.mark.parametrize(
    ("exponent", "status"), [(0.5, "HOLDS"), (0.8, "REFUTED"), (0.2, "REFUTED"), (-0.5, "REFUTED")]
)
def test_from_samples_to_a_verdict(exponent, status):
    """A wrong exponent is refuted, and is what a control must be."""
    claim = exponent_claim("test.a", "a", exponent, control="another exponent")
    control = labelled((exponent + 0.3,), stream=1)
    (verdict,) = judge(claim, fit_slopes(labelled(), ["a"], control=control))
    assert verdict.status is Status(status)
    assert verdict.control["status"] == "REFUTED"
    assert verdict.as_expected == (status == "HOLDS")


def test_one_logarithm_too_many_is_told_apart_by_the_factors():
    """q = d^0.5 log² d: with one factor free it is refuted, with two it holds."""
    values = np.array([[d**0.5 * math.log(d) ** 2] * 15 for d in SIZES])
    fitted = fit_slopes(xr.Dataset({"q": (("d", "seed"), values)}, {"d": list(SIZES), "seed": range(15)}), ["q"])
    for factors, status in ((1.0, Status.REFUTED), (2.001, Status.HOLDS)):  # 2 is the edge itself
        (verdict,) = judge(exponent_claim("test.q", "q", 0.5, factors=factors), fitted)
        assert verdict.status is status
