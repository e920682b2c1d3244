"""Scales of counts: fits against closed forms and refits, true scales found, what cannot be refused."""

import json

import numpy as np
import pytest
from scipy import optimize, special

import scalebridge as sb
from cli_helpers import invoke
from scalebridge.inference.scale_bases import make_basis
from scalebridge.inference.scale_counts import Counts, search_counts, validate_counts
from scalebridge.inference.scale_criteria import make_folds
from scalebridge.report.scales_section import make_scales_section


def made(family, count=96, seed=0):
    """Counts whose logarithm or logit has waves 1 and waves 4-7 of five octaves."""
    x, rng = np.arange(count) / count, np.random.default_rng(seed)
    predictor = 0.9 * np.sin(2 * np.pi * x) + 0.8 * np.cos(2 * np.pi * 5 * x)
    if family == "poisson":
        return rng.poisson(np.exp(1.5 + predictor)).astype(float), np.ones(count)
    trials = rng.integers(15, 30, count)
    return rng.binomial(trials, special.expit(predictor)).astype(float), trials.astype(float)


def counts_of(family, **options):
    values, trials = made(family, **options)
    return Counts(family, values, trials, make_basis("fourier", len(values), None, levels=5))


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_the_fit_is_the_maximum_of_the_likelihood(family):
    counts = counts_of(family)
    mask = np.array([1, 0, 1, 0, 0], bool)
    columns = counts.columns(mask)

    def deviance(weights):
        return float(np.sum(counts.deviances(counts.mean(columns @ weights))))

    found = counts.fit(columns)
    other = optimize.minimize(deviance, np.zeros(columns.shape[1]), method="BFGS", options={"gtol": 1e-7})
    assert deviance(found) <= other.fun + 1e-7
    # The score vanishes; the ridge that keeps the system regular is 1e-10 of its size.
    score = columns.T @ (counts.values - counts.mean(columns @ found))
    np.testing.assert_allclose(score, 0.0, atol=1e-4)
    null = counts.mean(columns[:, :1] @ counts.fit(columns[:, :1]))
    np.testing.assert_allclose(null.sum(), counts.values.sum(), rtol=1e-8)  # the constant alone: mean rate


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_leaving_one_out_by_a_step_is_close_to_refits(family):
    counts = counts_of(family, count=48)
    masks = np.array([[0, 0, 0, 0, 0], [1, 0, 1, 0, 0]], bool)
    single = [[np.array([i]) for i in range(48)]]
    found = validate_counts(counts, masks, single)
    # One Newton step is exact for least squares; here it is off by a few hundredths (Rad & Maleki, 2020).
    np.testing.assert_allclose(found.loo, found.folds.mean(axis=1), rtol=0.05)
    folds = make_folds(48, 6, 1, False, np.random.default_rng(0))
    errors = validate_counts(counts, masks, folds).mean
    assert errors[1] < errors[0]


@pytest.mark.parametrize("family", ["poisson", "binomial"])
def test_the_true_scales_of_counts_are_found(family):
    values, trials = made(family)
    several = {"trials": trials} if family == "binomial" else {}
    found = sb.select_scales(values, "fourier", levels=5, family=family, resamples=2, folds=4, **several)
    assert found.selected == ("waves 1", "waves 4-7")
    assert found.passed, [str(check) for check in found.checks]
    assert found.frequencies["bic"][[0, 2]].tolist() == [1.0, 1.0]
    np.testing.assert_allclose(found.fitted.sum(), values.sum(), rtol=1e-6)  # the constant's own equation
    assert json.loads(found.to_json())["family"] == family
    drawn = [picture for block in make_scales_section(found, 1).blocks for picture in block.pictures]
    assert all("nan" not in picture.markup.lower() for picture in drawn)


def test_spurious_scales_of_counts_are_taken_as_often_as_theory_says():
    tries, hits = 200, 0
    for seed in range(tries):
        values = np.random.default_rng(seed).poisson(5.0, 64).astype(float)
        one = make_basis("polynomial", 64, None, levels=1)
        counts = Counts("poisson", values, np.ones(64), one)
        gap = counts.left(np.array([False])) - counts.left(np.array([True]))
        hits += gap > 2.0  # AIC: one coefficient
    expected = 0.1573  # P(chi-square of one > 2)
    assert abs(hits / tries - expected) < 4 * np.sqrt(expected * (1 - expected) / tries)


def test_counts_that_scatter_too_much_are_seen():
    rng = np.random.default_rng(0)
    values = rng.negative_binomial(2, 0.2, 80).astype(float)  # five times the variance of a Poisson count
    found = sb.select_scales(values, "polynomial", levels=3, family="poisson", resamples=0)
    assert "scatter of counts" in [check.name for check in found.checks if not check.passed]


def test_many_scales_of_counts_are_searched_by_steps():
    counts = counts_of("poisson")
    quick, whole = search_counts(counts, quick=True), search_counts(counts)
    assert whole.exact
    assert not quick.exact
    np.testing.assert_allclose(quick.rss[quick.path], whole.rss[whole.path], rtol=1e-9)


def test_a_case_of_counts(tmp_path):
    values, trials = made("binomial")
    rows = "\n".join(f"{int(v)},{int(t)}" for v, t in zip(values, trials, strict=True))
    (tmp_path / "counts.csv").write_text(f"hits,of\n{rows}\n", encoding="utf-8")
    case = tmp_path / "case.toml"
    case.write_text(
        'task = "scales"\ntable = "counts.csv"\nvalue = "hits"\ntrials = "of"\n'
        '[select]\nbasis = "fourier"\nlevels = 3\nfamily = "binomial"\nresamples = 0\n',
        encoding="utf-8",
    )
    done = invoke("scales", str(case))
    assert done.exit_code == 0, done.output + done.stderr
    assert "waves 4-7" in done.output


GOOD = np.arange(20.0) % 5
REFUSED = [
    ("an unknown family", {"family": "gamma"}, "poisson"),
    ("shares as counts", {"family": "poisson", "values": GOOD / 3}, "whole numbers"),
    ("negative counts", {"family": "poisson", "values": GOOD - 2}, "0 or more"),
    ("binomial without trials", {"family": "binomial"}, "trials with"),
    ("trials without binomial", {"trials": 5}, "trials with"),
    ("more than trials", {"family": "binomial", "trials": 3}, "none above"),
    ("half a trial", {"family": "binomial", "trials": 4.5}, "whole number"),
    ("models of counts", {"family": "poisson", "models": {"a": (GOOD, 1)}}, "neither"),
]


@pytest.mark.parametrize(("given", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_is_refused(given, words):
    given = dict(given)
    with pytest.raises(sb.InputError, match=words):
        sb.select_scales(given.pop("values", GOOD), "polynomial", **given)
