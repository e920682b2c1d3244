"""Hierarchies against what is known exactly: conjugate cases, dense Gaussians, quadrature, limits, tails."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

import scalebridge as sb
from inference_samples import SPREADS, dense, made_collapse, made_plugs, made_top, made_tree
from scalebridge.inference.diagnostics_of_chains import effective_size, rhat
from scalebridge.inference.further_samples import further_groups, further_samples
from scalebridge.inference.hierarchy import make_hierarchy
from scalebridge.inference.hierarchy_collapse import Collapse, draws_down, moments_down
from scalebridge.inference.hierarchy_fields import conditional_line
from scalebridge.inference.hierarchy_kernels import one_log_density
from scalebridge.inference.hierarchy_posterior import posterior_by_quadrature
from scalebridge.inference.hierarchy_priors import parse_prior
from scalebridge.inference.hierarchy_single import Single
from scalebridge.inference.matern import ORDERS, matern_correlation, matern_matrix
from scalebridge.inference.measurements import read_measurements
from scalebridge.inference.quadrature import draw_from
from scalebridge.inference.quadrature import integrate as quadrature

REFERENCE = Path(__file__).parent / "reference"
CORRELATIONS = [None, *ORDERS]


def rows_of(name):
    with (REFERENCE / name).open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


SCHOOLS = {row["parameter"]: row for row in rows_of("eight_schools_exact_quadrature.csv")}
EFFECTS = {"y": [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], "s": [15.0, 10, 16, 11, 9, 11, 10, 18]}


def schools(method, draws=2000):
    table = {**EFFECTS, "school": [str(i + 1) for i in range(8)]}
    priors = {"mean": (0.0, 5.0), "school": ("half-cauchy", 5.0), "heterogeneity": 0.0}
    return sb.upscale_measurements(
        table, value="y", distribution="normal", levels="school", noise="s", priors=priors,
        upscale="arithmetic", method=method, leave_out=False, draws=draws,
    )  # fmt: skip


@pytest.mark.parametrize("row", rows_of("conjugate_upscaling_normal_normal.csv"), ids=lambda r: r["n"])
def test_conjugate_cases(row):
    number = {key: float(value) for key, value in row.items()}
    n, rng = int(number["n"]), np.random.default_rng(0)
    values = rng.standard_normal(max(n, 2))
    values += number["ybar"] - values[:n].mean()
    values = values[:n] if n > 1 else np.array([number["ybar"]])
    table = {"y": values}
    if n == 1:  # a table has two rows or more, so that the one value is given as two of half its weight
        table = {"y": np.repeat(values, 2), "plug": [0, 0]}
    scatter = {"noise": number["sigma_noise"] * np.sqrt(2.0 if n == 1 else 1.0)}
    study = sb.upscale_measurements(
        table, value="y", distribution="normal", sample="plug" if n == 1 else None, upscale="arithmetic",
        priors={"mean": (number["prior_mean"], number["prior_sd"]), "heterogeneity": number["tau_micro"]},
        **scatter,
    )  # fmt: skip
    found = study.moments("all")
    exact = 1e-10  # of the closed form; sums of some hundred numbers round to 1e-13
    np.testing.assert_allclose(found.mean, number["post_mean"], rtol=exact)
    np.testing.assert_allclose(found.variance, number["post_var"], rtol=exact)
    np.testing.assert_allclose(
        found.sampling, number["post_var_if_noise_free(heterogeneity part)"], rtol=exact
    )
    np.testing.assert_allclose(found.noise, number["added_by_noise"], rtol=1e-9)
    assert "closed form" in study.path


def test_eight_schools_by_quadrature():
    study = schools("quadrature")
    known = study.posterior.known
    tolerance = 1e-6  # the reference's own quadrature
    for name, label in (("mean", "mu"), ("school", "tau")):
        np.testing.assert_allclose(
            known[name], (float(SCHOOLS[label]["mean"]), float(SCHOOLS[label]["sd"])), atol=tolerance
        )
    moments = study.moments("school")
    for i in range(8):
        row = SCHOOLS[f"theta[{i + 1}]"]
        assert abs(moments.mean[i] - float(row["mean"])) < tolerance
        assert abs(np.sqrt(moments.variance[i]) - float(row["sd"])) < tolerance
    evidence = float(SCHOOLS["log_marginal_likelihood"]["mean"])
    assert abs(study.posterior.log_evidence - evidence) < tolerance


def close_to_schools(study, independent):
    """Whether means lie within four standard errors of so many independent draws."""
    for name, label in (("mean", "mu"), ("school", "tau")):
        mean, sd = float(SCHOOLS[label]["mean"]), float(SCHOOLS[label]["sd"])
        assert abs(study.posterior.known[name][0] - mean) < 4 * sd / np.sqrt(independent)
    for i in range(8):
        row = SCHOOLS[f"theta[{i + 1}]"]
        gap = abs(study.moments("school").mean[i] - float(row["mean"]))
        assert gap < 4 * float(row["sd"]) / np.sqrt(independent)


@pytest.mark.timeout(400)
def test_eight_schools_by_sampling():
    study = schools("sampling", draws=240)
    close_to_schools(study, 0.5 * study.posterior.independent)  # tau's draws have heavy tails


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # of NumPyro's own dependencies
@pytest.mark.parametrize("method", ["nuts-collapsed", "nuts"])
def test_eight_schools_by_nuts(method):
    study = schools(method, draws=4000)
    close_to_schools(study, 0.5 * study.posterior.independent)


def test_draws_of_the_quadrature_have_its_moments():
    study = schools("quadrature", draws=20000)
    for name in ("mean", "school"):
        mean, sd = study.posterior.known[name]
        drawn = study.posterior.top[:, 0] if name == "mean" else study.posterior.values[name]
        assert abs(drawn.mean() - mean) < 4 * sd / np.sqrt(len(drawn) * 0.5)
    drawn = study.posterior.levels[0][:, :, 0]
    moments = study.moments("school")
    assert np.all(np.abs(drawn.mean(axis=0) - moments.mean) < 4 * np.sqrt(moments.variance / 10000))


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_collapsed_density_is_that_of_the_dense_gaussian(correlation):
    collapse = made_collapse(correlation)
    mean, covariance = dense(collapse.tree, SPREADS, collapse.top)
    wanted = stats.multivariate_normal(mean, covariance).logpdf(collapse.tree.rows[:, -1])
    found = collapse.log_density(SPREADS)[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)  # roundings of a 30 x 30 factorisation


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_moments_of_groups_are_those_of_the_dense_gaussian(correlation):
    collapse = made_collapse(correlation)
    tree, top = collapse.tree, collapse.top
    mean, covariance = dense(tree, SPREADS, top)
    up = collapse.up(SPREADS)
    for level, (found, spread) in enumerate(moments_down(collapse, up, SPREADS)):
        for group in range(found.shape[1]):
            chain = [level, group]
            shared = top.std[0] ** 2 * np.ones(tree.count)
            own, variance = group, top.std[0] ** 2
            for above in range(level, -1, -1):
                inside = tree.ancestors(above)[tree.sample] == own
                shared = shared + SPREADS.levels[0, above] ** 2 * inside
                variance += SPREADS.levels[0, above] ** 2
                own = tree.parents[above][own]
            gain = np.linalg.solve(covariance, shared)
            np.testing.assert_allclose(
                found[0, group, 0], top.mean[0] + gain @ (tree.rows[:, -1] - mean), rtol=1e-9, err_msg=chain
            )
            np.testing.assert_allclose(spread[0, group, 0, 0], variance - gain @ shared, rtol=1e-9)


@pytest.mark.parametrize("correlation", [None, "matern-3/2"])
def test_the_compiled_collapse_is_the_other_one(correlation):
    collapse = made_collapse(correlation)
    tree = collapse.tree
    single = Single(type("H", (), {"top": collapse.top})(), tree).up(SPREADS)
    many = collapse.up(SPREADS)
    constant = -0.5 * (
        tree.count * np.log(2 * np.pi) + np.sum(np.log(tree.scatter)) + 2 * np.sum(np.log(collapse.top.std))
    )
    np.testing.assert_allclose(single.log_density + constant, many.log_density, rtol=1e-11)
    np.testing.assert_allclose(single.mean, many.mean, rtol=1e-10)
    order = ORDERS[correlation] if correlation else 0
    names = ("correlated", "length", "heterogeneity", "noise")
    theta = np.array([getattr(SPREADS, name)[0] for name in names]) ** np.array([2, 1, 2, 2])
    made = Single(type("H", (), {"top": collapse.top})(), tree)
    found = one_log_density(order, made.given, (theta, SPREADS.levels[0] ** 2), made.ladder, made.top)
    np.testing.assert_allclose(found, single.log_density, rtol=1e-12)
    for one, other in zip(single.sums, many.sums, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)


def test_draws_going_down_have_the_conditional_moments():
    collapse = made_collapse()
    many = type(SPREADS)(
        *(np.repeat(getattr(SPREADS, n), 4000, axis=0) for n in SPREADS.__dataclass_fields__)
    )
    top, *levels = draws_down(collapse.tree, collapse.up(many), many, np.random.default_rng(0))
    up = collapse.up(SPREADS)
    for drawn, (mean, cov) in zip(levels, moments_down(collapse, up, SPREADS), strict=True):
        error = np.sqrt(np.diagonal(cov[0], axis1=1, axis2=2) / 4000)
        assert np.all(np.abs(drawn.mean(axis=0) - mean[0]) < 4.5 * error)  # 14 numbers
    assert np.all(np.abs(top.mean(axis=0) - up.mean[0]) < 4 * np.sqrt(np.diag(up.covariance[0]) / 4000))


def test_a_group_without_rows_keeps_its_prior():
    collapse = made_collapse()
    tree = collapse.tree
    without = Collapse(tree.keep(tree.finest[tree.sample] != 1), made_top())
    (_, wells), (mean, cores) = moments_down(without, without.up(SPREADS), SPREADS)
    assert np.all(np.isfinite(mean))
    np.testing.assert_allclose(cores[0, 1, 0, 0], wells[0, 0, 0, 0] + SPREADS.levels[0, 1] ** 2, rtol=1e-12)


def test_long_lines_cost_no_more_than_their_length():
    # Ten thousand samples in one group: the filter needs no matrix (a dense one would be 800 MB).
    count, rng = 10_000, np.random.default_rng(0)
    tree = replace(
        made_tree("matern-5/2"), rows=np.stack([np.ones(count), rng.standard_normal(count)], axis=1),
        scatter=np.ones(count), sample=np.arange(count), place=np.cumsum(rng.uniform(0.1, 1, count)),
        parents=(), finest=np.zeros(count, int),
    )  # fmt: skip
    top = made_top()
    collapse = Collapse(tree, type(top)(top.mean[:1], top.std[:1]))
    none = replace(SPREADS, levels=np.zeros((1, 0)))
    assert np.isfinite(collapse.log_density(none)[0])
    # Without correlation between far samples the answer is that of independent ones.
    far = Collapse(replace(tree, place=1e6 * np.arange(count)), collapse.top)
    alone = Collapse(replace(tree, correlation=None), collapse.top)
    joined = replace(none, heterogeneity=np.sqrt(none.heterogeneity**2 + none.correlated**2))
    np.testing.assert_allclose(far.log_density(none), alone.log_density(joined), rtol=1e-12)


@pytest.mark.parametrize(("name", "nu"), [("exponential", 0.5), ("matern-3/2", 1.5), ("matern-5/2", 2.5)])
def test_matern_correlations_are_those_of_bessel_functions(name, nu):
    from scipy import special

    r = np.array([0.1, 0.7, 2.0])
    a = np.sqrt(2 * nu) * r / 0.8
    wanted = 2 ** (1 - nu) / special.gamma(nu) * a**nu * special.kv(nu, a)
    np.testing.assert_allclose(matern_correlation(r, 0.8, name), wanted, rtol=1e-12)
    assert np.min(np.linalg.eigvalsh(matern_matrix(np.cumsum(r), 0.8, name))) > 0


def test_a_drawn_line_follows_what_was_seen():
    places, rng = np.array([0.0, 1.0, 3.0]), np.random.default_rng(0)
    seen, wanted = np.array([1.0, -1.0, 0.5]), np.array([0.0, 0.5, 10.0])
    drawn = np.array(
        [
            conditional_line(places, seen, np.full(3, 0.04), wanted, (1.0, 1.0), "exponential", rng)
            for _ in range(3000)
        ]
    )
    k = matern_matrix(np.r_[places, wanted], 1.0, "exponential")
    gain = k[3:, :3] @ np.linalg.inv(k[:3, :3] + 0.04 * np.eye(3))
    mean, covariance = gain @ seen, k[3:, 3:] - gain @ k[:3, 3:]
    assert np.all(np.abs(drawn.mean(axis=0) - mean) < 4 * np.sqrt(np.diag(covariance) / 3000))
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=4 * np.sqrt(2 / 3000))


def test_quadrature_of_known_integrals():
    def density(z):
        return -0.5 * z[:, 0] ** 2 - 0.5 * ((z[:, 1] - 0.8 * z[:, 0]) / 0.6) ** 2 - np.log(2 * np.pi * 0.6)

    lowest = np.array([-8.0, -8.0])
    rule = quadrature(density, lowest, -lowest)
    assert abs(rule.log_integral) < 1e-6  # 40 points a side on a box of 13 standard deviations
    np.testing.assert_allclose(rule.mean(rule.points[:, 0] * rule.points[:, 1]), 0.8, atol=1e-6)
    drawn, share = draw_from(rule, density, lowest, 4000, np.random.default_rng(0))
    assert share > 0.5
    np.testing.assert_allclose(np.cov(drawn.T), [[1, 0.8], [0.8, 1.0]], atol=0.1)


@pytest.mark.parametrize(
    "given", [("half-normal", 2.0), ("half-cauchy", 1.5), ("log-normal", 3.0, 0.7)], ids=lambda g: g[0]
)
def test_priors_integrate_to_one_and_draw_what_they_say(given):
    prior = parse_prior("x", given)
    total = integrate.quad(
        lambda z: float(np.exp(prior.log_density(np.array(z)))), prior.lowest, 40, limit=200
    )[0]
    assert abs(total - 1) < 1e-7
    values = prior.draw(np.random.default_rng(0), 4000)
    z = prior.coordinate(values)
    grid = np.linspace(prior.lowest, 12, 4001)
    cumulative = integrate.cumulative_trapezoid(np.exp(prior.log_density(grid)), grid, initial=0)
    assert stats.kstest(np.interp(z, grid, cumulative), "uniform").pvalue > 1e-3
    np.testing.assert_allclose(prior.value(z), values, rtol=1e-9)


def one_mean(values, tail=None, draws=600):
    """The mean of single samples whose spreads are known: one unknown only."""
    return sb.upscale_measurements(
        {"y": values}, value="y", distribution="normal", noise=1.0, tail=tail, upscale="arithmetic",
        priors={"mean": (0.0, 3.0), "heterogeneity": 0.5}, method="sampling", draws=draws,
    )  # fmt: skip


def exact_mean(likelihood):
    grid = np.linspace(-8, 8, 4001)
    log = stats.norm(0, 3).logpdf(grid) + sum(likelihood(grid))
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    mean = float(weights @ grid)
    return mean, float(np.sqrt(weights @ (grid - mean) ** 2))


def test_limits_enter_as_probabilities():
    study = one_mean([0.4, 1.3, "<-0.5", ">2", "<0"])
    std = np.sqrt(1.25)
    mean, sd = exact_mean(
        lambda m: (
            [stats.norm(m, std).logpdf(v) for v in (0.4, 1.3)]
            + [stats.norm(m, std).logcdf(v) for v in (-0.5, 0.0)]
            + [stats.norm(m, std).logsf(2.0)]
        )
    )
    error = sd / np.sqrt(study.posterior.independent)
    assert abs(study.posterior.known["mean"][0] - mean) < 4 * error
    assert abs(study.posterior.known["mean"][1] - sd) < 4 * error


def test_heavy_tails_hold_outliers_at_bay():
    values = [0.1, -0.2, 0.3, 9.0]
    study = one_mean(values, tail=3.0)
    x = np.linspace(-30, 30, 3001)
    kernel = stats.norm(0, 0.5).pdf(x) * (x[1] - x[0])

    def density(value, m):
        return np.array([np.log(stats.t(3.0).pdf(value - one - x) @ kernel) for one in m])

    mean, sd = exact_mean_on(np.linspace(-3, 5, 161), lambda m: [density(v, m) for v in values])
    error = sd / np.sqrt(study.posterior.independent)
    assert abs(study.posterior.known["mean"][0] - mean) < 4 * error + 0.01 * sd
    assert study.posterior.known["mean"][0] < np.mean(values) / 2


def exact_mean_on(grid, likelihood):
    log = stats.norm(0, 3).logpdf(grid) + sum(likelihood(grid))
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    mean = float(weights @ grid)
    return mean, float(np.sqrt(weights @ (grid - mean) ** 2))


@pytest.mark.timeout(400)
@pytest.mark.slow
@pytest.mark.parametrize("correlation", [None, "exponential"])
def test_sampling_agrees_with_quadrature(correlation):
    plugs = made_plugs(4, 6, correlation_length=2.0)
    known = {"priors": {"heterogeneity": 0.4, "length": 2.0}} if correlation else {}
    asked = {"value": "k", "levels": "core", "noise": 0.3, "position": "depth", "leave_out": False, **known}
    exact = sb.upscale_measurements(plugs, **asked, correlation=correlation)
    drawn = sb.upscale_measurements(plugs, **asked, correlation=correlation, method="sampling", draws=400)
    for name, (mean, sd) in exact.posterior.known.items():
        gap = abs(drawn.posterior.known[name][0] - mean)
        assert gap < 4 * sd / np.sqrt(0.7 * drawn.posterior.independent), name
    ratio = drawn.moments().variance / exact.moments().variance
    assert np.all(np.abs(np.log(ratio)) < 0.5)


def test_chains_that_disagree_are_seen():
    rng = np.random.default_rng(0)
    good = rng.standard_normal((4, 400))
    assert rhat(good) < 1.01
    assert rhat(good + np.arange(4)[:, None]) > 1.2
    slow = np.empty((4, 2000))
    slow[:, 0] = 0.0
    for i in range(1, 2000):
        slow[:, i] = 0.9 * slow[:, i - 1] + np.sqrt(0.19) * rng.standard_normal(4)
    # An autoregression of 0.9 is worth (1 - 0.9) / (1 + 0.9) of its draws; a quarter for chance.
    assert abs(effective_size(slow) / (8000 / 19) - 1) < 0.25


def test_further_samples_are_those_of_the_conjugate_case():
    # V(m) = 1 / (1/V + m i): from 0.12484 with i = 1 / 1.25 to a std of 0.1 needs (100 - 8.01) 1.25 = 114.99.
    variance, each = np.array([0.12484394506866417]), np.array([0.8])
    assert further_samples(variance, each, 0.0, 1.959963984540054 * 0.1) == 115
    assert further_samples(variance, each, 0.0, 10.0) == 0
    assert further_samples(variance, each, 1.0, 0.1) is None
    assert further_groups(np.array([1.0]), np.array([0.5]), 5, 0.0, 1.959963984540054 * 0.1) == 145
    assert further_groups(np.array([1.0]), np.array([0.5]), 5, 1.0, 0.1) is None


def calibration(replications, seed, correlation=None):
    """Ranks of the truth among draws when truths are drawn from the prior (simulation-based calibration)."""
    rng, ranks = np.random.default_rng(seed), {"mean": [], "core": [], "heterogeneity": [], "group": []}
    core = np.repeat(np.arange(5), (2, 3, 4, 5, 6))
    priors = {"mean": (0.0, 1.0), "core": ("half-normal", 1.0), "heterogeneity": ("half-normal", 1.0)}
    for number in range(replications):
        mean, between = rng.normal(0, 1), abs(rng.normal(0, 1.0))
        micro = abs(rng.normal(0, 1.0))
        group = mean + between * rng.standard_normal(5)
        values = group[core] + micro * rng.standard_normal(20) + 0.4 * rng.standard_normal(20)
        data = read_measurements(
            {"core": core, "y": values}, value="y", unit="1", si_unit="1", levels=("core",), sample=None,
            scatter=None, distribution="normal", covariates=(), position=(), correlation=None,
        )  # fmt: skip
        hierarchy = make_hierarchy(data, 0.4, False, priors, 1.0)
        study = posterior_by_quadrature(hierarchy, 100, np.random.default_rng([seed, number]))
        ranks["mean"].append(np.sum(study.top[:99, 0] < mean))
        ranks["core"].append(np.sum(study.values["core"][:99] < between))
        ranks["heterogeneity"].append(np.sum(study.values["heterogeneity"][:99] < micro))
        ranks["group"].append(np.sum(study.levels[0][:99, 0, 0] < group[0]))
    return ranks


def uniform(ranks):
    counts = np.bincount(np.array(ranks) // 20, minlength=5)
    return stats.chisquare(counts).pvalue


def test_simulation_based_calibration():
    for name, found in calibration(60, 0).items():
        assert uniform(found) > 1e-3, name  # four tests at a thousandth each


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_simulation_based_calibration_at_length():
    for name, found in calibration(1000, 1).items():
        assert uniform(found) > 1e-3, name
