"""Choosing scales: exact searches, closed forms, probabilities of choosing too much, and what is refused."""

import csv
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import scalebridge as sb
from scalebridge.core.model import Model, Response
from scalebridge.core.results import Outcome
from scalebridge.core.spec import Spec
from scalebridge.inference.scale_bases import ScaleBasis, make_basis
from scalebridge.inference.scale_choices import bic_weights, selection_frequencies
from scalebridge.inference.scale_criteria import (
    information_criterion,
    make_folds,
    one_standard_error,
    validate,
)
from scalebridge.inference.scale_estimator import ScaleRegressor
from scalebridge.inference.scale_search import (
    Reduced,
    all_masks,
    forward_with_exchanges,
    leaps_and_bounds,
    residuals_of_all,
    scale_energies,
    search_subsets,
)

REFERENCE = Path(__file__).parent / "reference" / "model_selection_overselection_probabilities.csv"


def probability(criterion, setting, n):
    with REFERENCE.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["criterion"] == criterion and row["setting"].startswith(setting) and row["n"] == n:
                return float(row["probability"])
    raise AssertionError("no such row")


def within_chance(hits, tries, expected):
    """Whether a count is within the binomial interval of 99.9 %."""
    low, high = stats.binom.interval(0.999, tries, expected)
    return low <= hits <= high


def scattered(count=40, seed=0):
    return np.sort(np.random.default_rng(seed).random(count))


BASES = [
    ("wavelet", {}, None),
    ("wavelet", {"wavelet": "haar", "levels": 3}, None),
    ("wavelet", {"boundary": "interval"}, None),
    ("fourier", {}, None),
    ("polynomial", {}, None),
    ("blocks", {}, None),
    ("polynomial", {}, scattered(64)),
    ("blocks", {}, scattered(64)),
]


@pytest.mark.parametrize(("name", "options", "at"), BASES)
def test_bases_are_orthonormal_and_orthogonal_to_the_constant(name, options, at):
    basis = make_basis(name, 64, at, **options)
    assert basis.orthonormal
    gram = basis.columns.T @ basis.columns
    np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-10)  # roundings of 64 terms, QR twice
    np.testing.assert_allclose(basis.columns.sum(axis=0), 0.0, atol=1e-10)
    assert np.all(np.diff(basis.owner) >= 0)
    if name in ("wavelet", "fourier") and not options.get("levels"):
        assert len(gram) == 63  # with the constant all of space


def test_wavelets_of_a_boundary_fit_straight_lines_that_do_not_repeat():
    x = np.arange(50) / 50
    found = sb.select_scales(x + 0.01 * np.sin(99 * x**2), "wavelet", boundary="interval", resamples=0)
    periodic = sb.select_scales(x + 0.01 * np.sin(99 * x**2), "wavelet", resamples=0)
    assert np.max(np.abs(found.fitted - x)) < 0.05
    assert periodic.choice.unknowns >= found.choice.unknowns


def made(count=30, scales=6, width=2, seed=0):
    rng = np.random.default_rng(seed)
    columns = rng.standard_normal((count, scales * width))
    names = tuple(f"s{i}" for i in range(scales))
    basis = ScaleBasis(names, columns - columns.mean(axis=0), np.repeat(np.arange(scales), width), False)
    values = columns[:, 2] - 0.7 * columns[:, 7] + 0.5 * rng.standard_normal(count)
    return basis, values


@pytest.mark.parametrize("block", [False, True])
def test_closed_forms_of_leaving_out_are_explicit_refits(block):
    basis, values = made()
    masks = np.array([[0, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 0], [1, 1, 1, 1, 1, 1]], bool)
    folds = make_folds(30, 5, 2, block, np.random.default_rng(0))
    found = validate(basis, values, masks, folds)

    def refit(mask, out):
        keep = np.setdiff1d(np.arange(30), out)
        x = np.c_[np.ones(30), basis.chosen(mask)]
        b = np.linalg.lstsq(x[keep], values[keep], rcond=None)[0]
        return values[out] - x[out] @ b

    for i, mask in enumerate(masks):
        alone = [refit(mask, np.array([j]))[0] ** 2 for j in range(30)]
        np.testing.assert_allclose(found.loo[i], np.mean(alone), rtol=1e-10)
        wanted = [np.mean(refit(mask, fold) ** 2) for parts in folds for fold in parts]
        np.testing.assert_allclose(found.folds[i], wanted, rtol=1e-10)


def test_the_orthonormal_closed_form_is_the_general_one():
    basis = make_basis("fourier", 32, None)
    values = np.random.default_rng(0).standard_normal(32)
    masks = np.array([[1, 0, 0, 0], [1, 1, 0, 1]], bool)
    folds = make_folds(32, 8, 1, False, np.random.default_rng(1))
    one = validate(basis, values, masks, folds)
    other = validate(ScaleBasis(basis.names, basis.columns, basis.owner, False), values, masks, folds)
    np.testing.assert_allclose(one.loo, other.loo, rtol=1e-10)
    np.testing.assert_allclose(one.folds, other.folds, rtol=1e-9)


def test_sorting_energies_is_the_exact_search():
    basis = make_basis("blocks", 32, None)
    values = np.random.default_rng(0).standard_normal(32)
    subsets = search_subsets(basis, values)
    brute = Reduced.of(basis, values).all_left(subsets.masks)
    np.testing.assert_allclose(subsets.rss, brute, atol=1e-10)
    energy = scale_energies(basis, values)
    for size in range(6):
        best = subsets.masks[subsets.path[size]]
        assert set(np.flatnonzero(best)) == set(np.argsort(-energy)[:size])


@pytest.mark.parametrize("seed", range(4))
def test_leaps_and_bounds_finds_what_trying_all_finds(seed):
    basis, values = made(25, 9, 1, seed)
    rng = np.random.default_rng(seed)
    mixed = basis.columns @ (
        np.eye(9) + 0.6 * rng.standard_normal((9, 9))
    )  # columns that are not independent
    reduced = Reduced.of(ScaleBasis(basis.names, mixed, basis.owner, False), values)
    masks = all_masks(9)
    rss, sizes = reduced.all_left(masks), masks.sum(axis=1)
    found = leaps_and_bounds(reduced)
    for size in range(10):
        np.testing.assert_allclose(reduced.left(found[size]), np.min(rss[sizes == size]), rtol=1e-12)
    steps = reduced.all_left(forward_with_exchanges(reduced))
    assert np.all(steps >= reduced.all_left(found) * (1 - 1e-12))


def test_residuals_of_many_values_are_those_of_each():
    basis, values = made()
    masks = all_masks(6)[::7]
    many = residuals_of_all(basis, np.stack([values, values[::-1]]), masks)
    np.testing.assert_allclose(many[:, 0], Reduced.of(basis, values).all_left(masks), rtol=1e-10)
    np.testing.assert_allclose(many[:, 1], Reduced.of(basis, values[::-1]).all_left(masks), rtol=1e-10)


def spurious(count, tries, criterion, folds=0, seed=0):
    """How often one regressor without any effect is chosen."""
    rng, hits = np.random.default_rng(seed), 0
    for _ in range(tries):
        x, y = rng.standard_normal((count, 1)), rng.standard_normal(count)
        if folds:
            basis = ScaleBasis(("x",), x - x.mean(), np.array([0]), False)
            parts = make_folds(count, 2 if folds == count else folds, 1, False, rng)
            found = validate(basis, y, np.array([[False], [True]]), parts)
            errors = found.loo if folds == count else found.mean
            hits += errors[1] < errors[0]
        else:
            z = x[:, 0] - x.mean()
            total = np.sum((y - y.mean()) ** 2)
            rss = np.array([total, total - (z @ y) ** 2 / (z @ z)])
            values = information_criterion(criterion, rss, np.array([1, 2]), count)
            hits += values[1] < values[0]
    return hits


@pytest.mark.parametrize("count", [20, 50, 100])
@pytest.mark.parametrize("criterion", ["aic", "bic"])
def test_probability_of_choosing_too_much_at_any_number_of_values(criterion, count):
    price = 2.0 if criterion == "aic" else np.log(count)
    expected = float(stats.f.sf((count - 2) * (np.exp(price / count) - 1), 1, count - 2))
    if criterion == "aic":
        rows = csv.DictReader(REFERENCE.read_text(encoding="utf-8").splitlines())
        exact = [r for r in rows if r["criterion"].startswith("AIC exact") and r["n"] == str(count)]
        known = [float(r["probability"]) for r in exact]
        assert any(abs(expected - p) < 1e-12 for p in known)
    assert within_chance(spurious(count, 1500, criterion), 1500, expected)


@pytest.mark.parametrize(("folds", "count"), [(2, 200), pytest.param(10, 200, marks=pytest.mark.slow)])
def test_probability_of_cross_validation_choosing_too_much(folds, count):
    expected = probability(f"{folds}-fold CV", "one spurious", "inf")
    assert within_chance(spurious(count, 400, "", folds), 400, expected)


def test_probability_of_leaving_one_out_choosing_too_much():
    expected = probability("LOO CV", "one spurious", "inf")
    assert within_chance(spurious(200, 600, "", 200), 600, expected)


@pytest.mark.parametrize("criterion", ["AIC", "BIC", "EBIC(gamma=1)"])
def test_probability_among_ten_scales(criterion):
    count, tries = 1000, 1500
    rng, hits = np.random.default_rng(0), 0
    expected = probability(
        f"{criterion} all subsets", "10 orthogonal", "inf" if criterion == "AIC" else "1000"
    )
    masks = all_masks(10)
    sizes = masks.sum(axis=1)
    name = criterion.split("(")[0].lower()
    for _ in range(tries):
        energy = rng.chisquare(1, 10)
        rss = rng.chisquare(count - 11) + energy.sum() - masks @ energy
        values = information_criterion(name, rss, 1 + sizes, count, sizes, 10)
        hits += int(np.argmin(values)) != 0
    # EBIC's formula is of the first scale only: two at once are possible, and rarer than a tenth of it.
    assert within_chance(hits, tries, expected)


def test_criteria_of_a_worked_case():
    # n = 10, R = 5, two coefficients and the variance: k = 3.
    rss, unknowns = np.array(5.0), np.array(2)
    fit = 10 * np.log(0.5)
    assert information_criterion("aic", rss, unknowns, 10) == pytest.approx(fit + 6, rel=1e-14)
    assert information_criterion("aicc", rss, unknowns, 10) == pytest.approx(fit + 6 + 24 / 6, rel=1e-14)
    assert information_criterion("bic", rss, unknowns, 10) == pytest.approx(fit + 3 * np.log(10), rel=1e-14)
    ebic = information_criterion("ebic", rss, unknowns, 10, np.array(2), 5, 0.5)
    assert ebic == pytest.approx(fit + 3 * np.log(10) + np.log(10), rel=1e-14)  # C(5, 2) = 10
    assert information_criterion("aicc", rss, np.array(9), 10) == np.inf


def test_one_standard_error_takes_the_smallest_model():
    mean, error = np.array([3.0, 1.4, 1.1, 1.0, 1.2]), np.array([0.5, 0.5, 0.5, 0.45, 0.5])
    assert one_standard_error(mean, error) == 1
    assert one_standard_error(mean, 0.01 * error) == 3


def waves(count, seed=0, noise=0.5):
    x = np.arange(count) / count
    rng = np.random.default_rng(seed)
    return np.sin(2 * np.pi * x) + 0.8 * np.cos(2 * np.pi * 9 * x) + noise * rng.standard_normal(count)


def test_the_true_scales_are_found_and_reconstructed():
    found = sb.select_scales(waves(256), "fourier", unit="m")
    assert found.selected == ("waves 1", "waves 8-15")
    x = np.arange(256) / 256
    np.testing.assert_allclose(found.parts[0], np.sin(2 * np.pi * x), atol=0.15)  # 0.5 sqrt(2 / 256) x 3
    assert found.passed
    assert found.weights[0] > 0.999
    assert found.frequencies["bic"][0] > 0.99
    np.testing.assert_allclose(found.fitted, found.mean + found.parts.sum(axis=0))
    assert "waves 8-15" in str(found)
    assert found.to_dict()["selected"] == ["waves 1", "waves 8-15"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_bic_finds_the_true_set_more_often_the_more_values_and_cross_validation_does_not():
    def share(count, name, tries=60):
        hits = 0
        for seed in range(tries):
            found = sb.select_scales(waves(count, seed), "fourier", levels=5, resamples=0, folds=5)
            hits += found.choices[name].scales == ("waves 1", "waves 8-15")
        return hits / tries

    assert share(1024, "bic") > 0.97
    # Scales of 2 to 16 coefficients are each taken by AIC in P(chi2_p > 2p) = 0.14 to 0.01 of cases.
    assert share(1024, "loo") < 0.93


def test_correlated_errors_are_seen_and_blocks_are_offered():
    rng = np.random.default_rng(0)
    noise = np.zeros(300)
    for i in range(1, 300):
        noise[i] = 0.9 * noise[i - 1] + rng.standard_normal()
    columns = {"a": rng.standard_normal(300), "b": rng.standard_normal(300)}
    found = sb.select_scales(noise, columns, resamples=20)
    assert [c.name for c in found.checks if not c.passed] == ["independent errors"]
    blocked = sb.select_scales(noise, columns, block=20, resamples=20)
    assert blocked.checks == ()


def test_many_scales_are_searched_by_steps_and_that_is_said():
    rng = np.random.default_rng(0)
    columns = {f"c{i}": rng.standard_normal(120) for i in range(24)}
    values = columns["c3"] + columns["c11"] + 0.5 * rng.standard_normal(120)
    found = sb.select_scales(values, columns, criterion="ebic", resamples=0)
    assert found.selected == ("c3", "c11")
    assert not found.subsets.exact
    assert any("may have missed" in note for note in found.notes)


def test_the_ladder_of_models_is_the_same_question():
    x = np.linspace(0, 1, 60)
    values = 2 * x + 0.1 * np.random.default_rng(0).standard_normal(60)
    linear, cubic = np.polyfit(x, values, 1), np.polyfit(x, values, 5)
    models = {
        "constant": (np.full(60, values.mean()), 1),
        "linear": (np.polyval(linear, x), 2),
        "quintic": (np.polyval(cubic, x), 6),
    }
    found = sb.select_scales(values, models=models)
    assert found.selected == ("linear",)
    assert found.ladder
    np.testing.assert_allclose(found.fitted, np.polyval(linear, x))
    np.testing.assert_allclose(found.weights.sum(), 1.0)


class Fading(Model):
    """Answers twice with a share of its load, which falls with each time that it is asked."""

    share: float

    @property
    def asks(self):
        return Spec("load", "1", (1,))

    @property
    def answers(self):
        return Spec("answers", "1", (2,))

    def rest(self):
        return jnp.asarray(0.0)

    def respond(self, load, state):
        code = jnp.where(load[0] > 100.0, int(Outcome.step_limit), int(Outcome.converged))
        return Response(jnp.repeat(load * self.share**state, 2), state + 1.0, None, code, {})


def test_models_of_the_library_are_asked_themselves():
    loads = np.linspace(1.0, 2.0, 20)[:, None]
    truth = np.repeat(loads[:, 0] * 0.95 ** np.arange(20), 2)
    values = truth + 0.01 * np.random.default_rng(1).standard_normal(40)
    models = {"steady": (Fading(1.0), loads, 1), "fading": (Fading(0.95), loads, 2)}
    found = sb.select_scales(values, models=models)
    assert found.selected == ("fading",)
    np.testing.assert_allclose(found.fitted, truth, rtol=1e-12)
    with pytest.raises(sb.InputError, match="loads of shape"):
        sb.select_scales(values, models={"a": (Fading(1.0), loads.T, 1)})
    with pytest.raises(sb.InputError, match="no answer to load 3: step_limit"):
        sb.select_scales(
            values, models={"a": (Fading(1.0), np.where(np.arange(20) == 3, 200, 1)[:, None], 1)}
        )
    with pytest.raises(sb.InputError, match="38 predictions"):
        sb.select_scales(values, models={"a": (Fading(1.0), loads[1:], 1)})


def test_positions_may_come_in_any_order():
    x = scattered(80, 3)
    y = np.sin(2 * np.pi * x)
    order = np.random.default_rng(0).permutation(80)
    one = sb.select_scales(y, "polynomial", at=x, resamples=0)
    other = sb.select_scales(y[order], "polynomial", at=x[order], resamples=0)
    np.testing.assert_allclose(one.fitted, other.fitted)
    assert one.selected == other.selected


def test_weights_of_all_subsets_are_bic_probabilities():
    basis, values = made()
    subsets = search_subsets(basis, values)
    weights = bic_weights(subsets, 30, 0.9)
    bic = information_criterion("bic", subsets.rss, subsets.unknowns, 30)
    bic[subsets.unknowns > 27] = np.inf
    p = np.exp(-0.5 * (bic - bic.min()))
    np.testing.assert_allclose(weights, (p / p.sum()) @ subsets.masks, rtol=1e-12)


def test_frequencies_are_reproducible():
    basis, values = made()
    options = {"resamples": 10, "block": 1, "most": 0.6, "gamma": 1.0}
    mask = np.array([0, 1, 0, 1, 0, 0], bool)
    one = selection_frequencies(basis, values, mask, rng=np.random.default_rng(0), **options)
    other = selection_frequencies(basis, values, mask, rng=np.random.default_rng(0), **options)
    np.testing.assert_array_equal(one["bic"], other["bic"])
    assert one["bic"][1] > 0.5


def test_the_estimator_selects_groups_and_predicts():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 6))
    y = X[:, 0] + X[:, 1] + 3 + 0.1 * rng.standard_normal(80)
    for criterion in ("bic", "loo", "one-standard-error"):
        model = ScaleRegressor(groups=["a", "a", "b", "b", "c", "c"], criterion=criterion).fit(X, y)
        assert "a" in model.selected_
        assert model.score(X, y) > 0.98
    with pytest.raises(sb.InputError, match="did you mean 'bic'"):
        ScaleRegressor(criterion="bics").fit(X, y)
    with pytest.raises(sb.InputError, match="one a column"):
        ScaleRegressor(groups=[1]).fit(X, y)


@pytest.mark.filterwarnings("ignore")
def test_the_estimator_passes_the_checks_of_scikit_learn():
    checks = pytest.importorskip("sklearn.utils.estimator_checks")
    found = checks.check_estimator(ScaleRegressor(), on_fail=None, on_skip=None)
    assert len(found) > 40
    assert [(one["check_name"], one["exception"]) for one in found if one["status"] == "failed"] == []


GOOD = np.sin(np.arange(32.0))
REFUSED = [
    ("too few", {"values": [1.0, 2.0]}, "8 or more"),
    ("text", {"values": ["a"] * 20}, "numbers"),
    ("NaN", {"values": [np.nan, *range(20)]}, "finite"),
    ("a table without variation", {"values": np.zeros((4, 4))}, "vary"),
    ("a constant", {"values": np.ones(20)}, "vary"),
    ("an unknown basis", {"basis": "wavelets"}, "did you mean 'wavelet'"),
    ("an odd number of wavelets", {"values": np.arange(33.0)}, "even"),
    ("an unknown wavelet", {"wavelet": "db99"}, "orthonormal"),
    ("a wavelet that is not orthonormal", {"wavelet": "bior2.2"}, "orthonormal"),
    ("an unknown boundary", {"boundary": "open"}, "interval"),
    ("wavelets on scattered points", {"at": np.sort(np.random.default_rng(0).random(32))}, "regular"),
    ("a position twice", {"at": [0.0] * 32, "basis": "blocks"}, "each once"),
    ("positions of another length", {"at": [1.0, 2.0]}, "one for each"),
    ("an unknown criterion", {"criterion": "bik"}, "did you mean 'bic'"),
    ("one fold", {"folds": 1}, "from 2"),
    ("no repeats", {"repeats": 0}, "from 1"),
    ("a block too long", {"block": 20}, "from 1 to 16"),
    ("gamma of 2", {"gamma": 2.0}, "0 to 1"),
    ("all coefficients", {"most": 1.0}, "between 0 and 1"),
    ("a negative number of resamples", {"resamples": -1}, "0 or more"),
    ("no levels", {"levels": 0}, "from 1"),
    ("too many degrees", {"basis": "polynomial", "levels": 31}, "from 1 to 30"),
    ("a negative seed", {"seed": -1}, "at least 0"),
    ("no columns", {"basis": {}}, "one scale or more"),
    ("a column of another length", {"basis": {"a": [1.0, 2.0]}}, "columns of 32"),
    ("a constant column", {"basis": {"a": np.ones(32)}}, "each add something"),
    ("a column twice", {"basis": {"a": GOOD, "b": 2 * GOOD}}, "made of the others"),
    ("no models", {"models": {}}, "one or more"),
    ("a model without its number", {"models": {"a": GOOD}}, "number of fitted parameters"),
    ("a perfect model", {"models": {"a": (GOOD, 1)}}, "leave noise"),
    ("cross-validated models", {"models": {"a": (GOOD + 1, 1)}, "criterion": "loo"}, "not fitted again"),
]


@pytest.mark.parametrize(("given", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_is_refused(given, words):
    given = dict(given)
    with pytest.raises(sb.InputError, match=words) as refusal:
        sb.select_scales(given.pop("values", GOOD), **given)
    assert refusal.value.cure
