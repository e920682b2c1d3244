"""Measurements upscaled through the face: what is read, refused, found, drawn and handed on."""

import json

import numpy as np
import pytest

import scalebridge as sb
from cli_helpers import invoke
from inference_samples import made_plugs
from scalebridge.core.units import DARCY
from scalebridge.inference.field_flow import flow_along_first_axis
from scalebridge.inference.measurements import without_logarithms
from scalebridge.inference.power_means import power_mean
from scalebridge.inference.semivariance import semivariance
from scalebridge.io.columns import read_columns
from scalebridge.report.measurement_section import make_measurement_section, measurement_sentences
from scalebridge.report.page import render_page
from scalebridge.report.scales_section import make_scales_section
from scalebridge.structures.darcy_inputs import permeability_field

ASKED = {"value": "k", "unit": "mD", "levels": "core", "noise": "30 %", "quantity": "permeability"}


@pytest.fixture(scope="module")
def study():
    return sb.upscale_measurements(made_plugs(), **ASKED, position="depth", wanted=0.3)


def test_the_study_says_what_it_found(study):
    assert study.passed, [str(check) for check in study.checks]
    assert study.labels == tuple("012345")
    text = str(study)
    assert "geometric mean of permeability m^2, 48 measurements" in text
    assert "heterogeneity half-normal of scale 2" in text
    assert study.path == "quadrature over 2 hyperparameters, 1600 points"
    # Made with a spread of 1 between and of 0.8 within cores: inside three posterior deviations.
    for name, true in (("core", 1.0), ("heterogeneity", 0.8), ("mean", 2.0 + np.log(1e-3 * DARCY))):
        mean, std = study.posterior.known[name]
        assert abs(mean - true) < 3 * std
    assert len(study.left_out) == 6
    told = json.loads(study.to_json())
    assert told["unit"] == "m^2"
    assert len(told["groups"]) == 6


def test_groups_lie_between_their_own_mean_and_the_mean_of_all(study):
    middle = study.everything.mean
    for group in study.groups:
        assert min(group.own, middle) - 0.05 < group.mean < max(group.own, middle) + 0.05


def test_evidence_of_groups_left_out_adds_up(study):
    # log p(y_g | rest) = log Z - log Z_without, by a second study of the rest.
    plugs = made_plugs()
    rest = {name: np.asarray(column)[plugs["core"] != 2] for name, column in plugs.items()}
    mean = float(study.hierarchy.top.mean[0]) - np.log(1e-3 * DARCY)
    other = sb.upscale_measurements(rest, **ASKED, priors={"mean": (mean, 10.0)}, leave_out=False)
    found = study.posterior.log_evidence - other.posterior.log_evidence
    assert abs(study.left_out[2].log_score - found) < 1e-6  # two quadratures


def test_parts_of_the_uncertainty_make_the_whole(study):
    for label in (None, "3"):
        result = study.upscaled(label)
        np.testing.assert_allclose(result.std, result.estimate.std[0], rtol=1e-6)
        assert set(result.uncertainty) == {"finite sampling", "measurement noise", "spreads"}
    with pytest.raises(sb.InputError, match="a core"):
        study.upscaled("9")


def test_means_are_ordered_and_the_darcy_model_takes_them():
    plugs = made_plugs(4, 10)
    found = {
        name: sb.upscale_measurements(plugs, **ASKED, upscale=name, leave_out=False)
        for name in ("harmonic", "geometric", "arithmetic")
    }
    harmonic, geometric, arithmetic = (found[name].values for name in found)
    assert np.all(harmonic < geometric)
    assert np.all(geometric < arithmetic)
    power = sb.upscale_measurements(plugs, **ASKED, upscale="power", exponent=1 / 3, leave_out=False)
    assert np.all((power.values > geometric) & (power.values < arithmetic))
    blocks = permeability_field(geometric.reshape(4, 1, 1), "m^2")  # what darcy_flow makes of them
    np.testing.assert_array_equal(blocks.ravel(), geometric)


@pytest.mark.slow
def test_the_darcy_model_solves_with_them():
    values = sb.upscale_measurements(made_plugs(4, 10), **ASKED, leave_out=False).values
    flow = sb.darcy_flow(values.reshape(4, 1, 1), voxel="1 m", driving=("1 bar/m", 0, 0), boundary="sealed")
    np.testing.assert_allclose(flow.permeability, 1 / np.mean(1 / values), rtol=1e-6)  # across layers


def test_a_function_that_upscales_cells_is_called_on_drawn_ones():
    plugs = made_plugs(3, 12)
    asked = {**ASKED, "leave_out": False}
    own = sb.upscale_measurements(plugs, **asked, upscale=lambda k: float(np.mean(k)), cells=(2000,))
    closed = sb.upscale_measurements(plugs, **asked, upscale="arithmetic")
    # 200 draws of a mean of 2000 cells against the closed form: a few per cent of the posterior's width, 0.3.
    np.testing.assert_allclose(np.log(own.values / closed.values), 0.0, atol=0.12)
    with pytest.raises(sb.InputError, match="one number"):
        sb.upscale_measurements(plugs, **asked, upscale=lambda k: k, cells=(4,))


def test_flow_through_cells_of_groups():
    k = np.exp(np.random.default_rng(2).standard_normal(4))
    flow = flow_along_first_axis((4, 4, 4))
    across, along = np.broadcast_to(k[:, None, None], (4, 4, 4)), np.broadcast_to(k, (4, 4, 4))
    assert flow(across) == pytest.approx(1 / np.mean(1 / k), rel=1e-5)  # the solver's tolerance is 1e-6
    assert flow(along) == pytest.approx(k.mean(), rel=1e-5)
    plugs = made_plugs(3, 12)
    asked = {**ASKED, "leave_out": False, "draws": 100}
    found = sb.upscale_measurements(plugs, **asked, upscale="flow", cells=[4, 4, 4])
    means = [sb.upscale_measurements(plugs, **asked, upscale=mean) for mean in ("harmonic", "arithmetic")]
    assert np.all((means[0].values < found.values) & (found.values < means[1].values))
    assert "permeability to flow" in str(found)
    assert any("4 x 4 x 4" in note for note in found.notes)
    with pytest.raises(sb.InputError, match="axes"):
        sb.upscale_measurements(plugs, **asked, upscale="flow", cells=(2, 2, 2, 2))


@pytest.mark.slow
def test_flow_through_a_plane_is_near_the_geometric_mean():
    # Matheron 1967: exact for an isotropic log-normal plane. 4096 cells scatter by a per cent, finite
    # volumes come from below.
    rng = np.random.default_rng(2)
    plane = np.exp(0.7 * rng.standard_normal((64, 64)))
    assert 0.89 < flow_along_first_axis((64, 64))(plane) < 1.0
    assert flow_along_first_axis((64,))(plane[0]) == pytest.approx(1 / np.mean(1 / plane[0]), rel=1e-12)


def test_power_means_are_those_of_drawn_values():
    rng = np.random.default_rng(0)
    values = np.exp(0.3 + 0.5 * rng.standard_normal(400_000))
    for exponent, mean in (
        (1.0, values.mean()),
        (-1.0, 1 / np.mean(1 / values)),
        (0.5, np.mean(values**0.5) ** 2),
    ):
        np.testing.assert_allclose(power_mean(np.array(0.3), np.array(0.25), exponent), mean, rtol=0.005)


def test_a_coarse_measurement_tells_the_exponent():
    plugs = made_plugs(3, 40)
    asked = {**ASKED, "leave_out": False, "upscale": "power", "exponent": (0.0, 0.5), "draws": 4000}
    free = sb.upscale_measurements(plugs, **asked)
    value = float(free.groups[0].high)
    told = sb.upscale_measurements(plugs, **asked, observed={"0": (value, 0.05)})
    assert abs(np.log(told.groups[0].value / value)) < abs(np.log(free.groups[0].value / value))
    assert told.groups[0].high / told.groups[0].low < free.groups[0].high / free.groups[0].low


def test_correlation_within_groups_is_seen_and_then_modelled():
    plugs = made_plugs(4, 24, correlation_length=3.0)
    asked = {**ASKED, "position": "depth", "leave_out": False}
    independent = sb.upscale_measurements(plugs, **asked)
    assert "independence within groups" in [c.name for c in independent.checks if not c.passed]
    assert "independence within a group is wrong" in " ".join(measurement_sentences(independent))
    priors = {"length": 3.0}
    modelled = sb.upscale_measurements(plugs, **asked, correlation="exponential", priors=priors)
    assert "independence within groups" not in [c.name for c in modelled.checks]
    assert np.all(modelled.moments().variance > independent.moments().variance)
    page = render_page([independent, modelled])
    assert "independence within a group is wrong here" in page
    assert "the model (exponential)" in page


def test_independent_neighbours_are_left_alone():
    rng, place, group = np.random.default_rng(0), np.arange(60.0), np.repeat([0, 1], 30)
    ps = [semivariance(rng.standard_normal(60), place, group, rng).p_value for _ in range(20)]
    assert 0.2 < np.mean(ps) < 0.8  # uniform: 0.5 +- 0.065 x 4
    assert min(ps) > 0.001


def test_repetitions_tell_the_noise_and_missing_labels_stand_alone():
    rng = np.random.default_rng(0)
    plug = np.repeat(np.arange(30), 3)
    micro = 0.5 * rng.standard_normal(30)
    table = {
        "core": ["" if p == 0 else "ab"[p % 2] for p in plug],
        "plug": plug,
        "k": np.exp(1.0 + micro[plug] + 0.1 * rng.standard_normal(90)),
    }
    study = sb.upscale_measurements(table, value="k", levels="core", sample="plug", leave_out=False)
    mean, std = study.posterior.known["noise"]
    assert abs(mean - 0.1) < 3 * std
    assert any("without a label" in note for note in study.notes)


def test_covariates_explain():
    rng = np.random.default_rng(0)
    porosity = rng.uniform(0.1, 0.3, 80)
    table = {
        "c": np.repeat(np.arange(4), 20),
        "phi": porosity,
        "k": np.exp(20 * porosity + 0.2 * rng.standard_normal(80)),
    }
    study = sb.upscale_measurements(
        table, value="k", levels="c", noise=0.1, covariates="phi", leave_out=False
    )
    mean, std = study.posterior.known["slope of phi"]
    assert abs(mean - 20) < 3 * std


def test_tables_are_read_from_files(tmp_path):
    plugs = made_plugs()
    lines = [
        "core,k,depth",
        *(
            f"{c},{k!r},{d!r}"
            for c, k, d in zip(*(plugs[n].tolist() for n in ("core", "k", "depth")), strict=True)
        ),
    ]
    (tmp_path / "plugs.csv").write_text("# plugs\n" + "\n".join(lines), encoding="utf-8")
    by_file = sb.upscale_measurements(tmp_path / "plugs.csv", **ASKED, leave_out=False)
    by_columns = sb.upscale_measurements(plugs, **ASKED, leave_out=False)
    np.testing.assert_allclose(by_file.values, by_columns.values, rtol=1e-12)
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    parquet.write_table(arrow.table({n: v.tolist() for n, v in plugs.items()}), tmp_path / "plugs.parquet")
    assert read_columns(tmp_path / "plugs.parquet")["k"] == plugs["k"].tolist()


def test_a_well_log_is_a_table(tmp_path):
    pytest.importorskip("lasio")
    text = """~Version
VERS. 2.0 :
WRAP. NO :
~Well
NULL. -999.25 :
~Curve
DEPT.M :
PHI.V/V :
~A
1.0 0.2
1.5 -999.25
2.0 0.3
"""
    (tmp_path / "log.las").write_text(text, encoding="utf-8")
    columns = read_columns(tmp_path / "log.las")
    assert columns["DEPT"] == [1.0, 1.5, 2.0]
    assert np.isnan(columns["PHI"][1])


def test_the_pages_hold_the_numbers(study):
    section = make_measurement_section(study, 1)
    assert section.unit == "mD"
    assert [row.cells[0] for row in section.answer[0].rows] == [*"012345", "all"]
    drawn = [picture for block in section.blocks for picture in block.pictures]
    assert len(drawn) == 4
    assert all("nan" not in picture.markup.lower() for picture in drawn)
    chosen = make_scales_section(sb.select_scales(np.sin(np.arange(64)), "fourier", resamples=5), 2)
    assert chosen.number.isdigit()
    assert "Why criteria disagree" in [block.title for block in chosen.blocks]


CASE = """task = "infer"
table = "plugs.csv"
[measurements]
value = "k"
unit = "mD"
levels = "core"
noise = "30 %"
[solve]
leave_out = false
[output]
json = "out.json"
report = "out.html"
"""


def test_the_command_line_infers_and_does_not_do_it_twice(tmp_path):
    plugs = made_plugs()
    lines = [
        "core,k",
        *(f"{c},{k!r}" for c, k in zip(plugs["core"].tolist(), plugs["k"].tolist(), strict=True)),
    ]
    (tmp_path / "plugs.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "case.toml").write_text(CASE, encoding="utf-8")
    first = invoke("infer", str(tmp_path / "case.toml"))
    assert first.exit_code == 0, first.output
    assert "heterogeneity" in first.output
    assert json.loads((tmp_path / "out.json").read_text())["passed"] is True
    assert "Nothing to do" in invoke("run", str(tmp_path / "case.toml")).output
    wrong = invoke("scales", str(tmp_path / "case.toml"))
    assert wrong.exit_code == 2
    assert "scalebridge run" in wrong.stderr


def test_the_command_line_chooses_scales(tmp_path):
    x = np.arange(64) / 64
    y = np.sin(2 * np.pi * x) + 0.1 * np.random.default_rng(0).standard_normal(64)
    lines = [
        "x,y,s,c",
        *(f"{a},{b},{np.sin(6.283 * a)},{np.cos(6.283 * a)}" for a, b in zip(x, y, strict=True)),
    ]
    (tmp_path / "log.csv").write_text("\n".join(lines), encoding="utf-8")
    case = 'task = "scales"\ntable = "log.csv"\nvalue = "y"\nat = "x"\n[select]\n'
    for chosen, said in (('basis = "fourier"\n', "waves 1"), ('columns = { slow = ["s", "c"] }\n', "slow")):
        (tmp_path / "case.toml").write_text(case + chosen, encoding="utf-8")
        done = invoke("scales", str(tmp_path / "case.toml"))
        assert done.exit_code == 0, done.output + done.stderr
        assert said in done.output
    (tmp_path / "case.toml").write_text(case, encoding="utf-8")
    assert invoke("scales", str(tmp_path / "case.toml")).exit_code == 2


@pytest.mark.parametrize(("kind", "base"), [("log10", 10.0), ("ln", np.e)])
def test_a_column_of_logarithms_is_that_of_its_values(kind, base):
    plain, signs = [0.1, 2.0, 0.01, 40.0, 5000.0, 3.0], ["", "", "<", "", "> ", ""]
    written = [f"{sign}{float(np.log(v) / np.log(base))}" for sign, v in zip(signs, plain, strict=True)]
    found = without_logarithms(written, kind)
    assert [isinstance(v, str) and v[0] for v in found] == [sign[:1] or False for sign in signs]
    np.testing.assert_allclose([float(str(v).lstrip("<> ")) for v in found], plain, rtol=1e-12)
    table = made_plugs()
    logs = {**table, "k": [float(np.log(v) / np.log(base)) for v in table["k"]]}
    one, other = (
        sb.upscale_measurements(t, **ASKED, draws=200, leave_out=False, logarithm=how)
        for t, how in ((table, None), (logs, kind))
    )
    # Antilogarithms are a rounding off, which quadrature passes on.
    assert other.parameters["mean"]["mean"] == pytest.approx(one.parameters["mean"]["mean"], rel=1e-9)


K = [1.0, 2.0, 3.0, 4.0]
REFUSED = [
    ("no such column", {"value": "perm"}, "name of a column"),
    ("no such level", {"levels": "cores"}, "did you mean 'core'"),
    ("a level twice", {"levels": ("core", "core")}, "each level once"),
    ("a level with a name that is taken", {"k": K, "noise_": 1, "levels": "mean"}, "another name"),
    ("no values", {"k": ["", "", "", ""]}, "two or more"),
    ("text", {"k": [1.0, "high", 3.0, 4.0]}, "a positive number"),
    ("zero permeability", {"k": [1.0, 0.0, 3.0, 4.0]}, "positive"),
    ("infinity", {"k": [1.0, np.inf, 3.0, 4.0]}, "positive"),
    ("limits only", {"k": ["<1", "<2", ">3", "<4"]}, "measured values too"),
    ("columns of two lengths", {"core": ["a"]}, "one length"),
    ("an unknown unit", {"unit": "flurb"}, "flurb|unit"),
    ("no noise", {"noise": None}, "repeatability"),
    ("negative noise", {"noise": -0.1}, "0 or more"),
    ("noise that is no number", {"noise": "small"}, "name of a column"),
    ("a column of noise with a zero", {"noise": "s", "s": [0.1, 0.0, 0.1, 0.1]}, "positive standard"),
    ("an unknown distribution", {"distribution": "lognormal"}, "did you mean 'log-normal'"),
    ("a logarithm of no kind", {"logarithm": "log"}, "did you mean"),
    ("a logarithm of too much", {"logarithm": "log10", "k": [1.0, 2.0, 400.0, 3.0]}, "between -300 and 300"),
    ("a logarithm that is text", {"logarithm": "ln", "k": [1.0, "low", 2.0, 3.0]}, "a ln of a value"),
    ("an unknown mean", {"upscale": "geometrical"}, "did you mean 'geometric'"),
    ("a power without exponent", {"upscale": "power"}, "exponent"),
    ("an exponent of 3", {"upscale": "power", "exponent": 3.0}, "from -1 to 1"),
    ("an exponent of an arithmetic mean", {"upscale": "arithmetic", "exponent": 0.5}, "none with others"),
    ("a geometric mean of normal values", {"distribution": "normal"}, "may be negative"),
    ("a correlation without positions", {"correlation": "exponential"}, "depth"),
    ("an unknown correlation", {"correlation": "gaussian", "position": "z"}, "exponential"),
    ("a position that is missing", {"position": "z", "z": [1.0, None, 2.0, 3.0]}, "finite number"),
    ("one position", {"position": "z", "z": [1.0] * 4, "correlation": "exponential"}, "at several"),
    ("a constant covariate", {"covariates": "z", "z": [1.0] * 4}, "vary"),
    (
        "a covariate twice",
        {"covariates": ("z", "z2"), "z2": [2.0, 4.0, 6.0, 9.0], "z": [1.0, 2.0, 3.0, 4.5]},
        "none of which",
    ),
    ("a sample at two depths", {"sample": "core", "levels": (), "position": "z"}, "one position a sample"),
    ("a prior of nothing", {"priors": {"cor": 1.0}}, "did you mean 'core'"),
    ("an unknown prior", {"priors": {"core": ("gamma", 1.0)}}, "half-normal"),
    ("a prior without scale", {"priors": {"core": ("half-normal",)}}, "1 positive number"),
    ("a negative spread", {"priors": {"core": -1.0}}, "0 or more"),
    ("a mean without spread", {"priors": {"mean": 1.0}}, "standard deviation"),
    ("an unknown method", {"method": "mcmc"}, "quadrature"),
    ("quadrature of limits", {"method": "quadrature", "k": ["<1", 2.0, 3.0, 4.0]}, "measured values"),
    ("a level to upscale that is not there", {"of": "well"}, "one of core, all"),
    ("ten draws", {"draws": 10}, "at least 100"),
    ("a negative seed", {"seed": -1}, "at least 0"),
    ("a tail of 1", {"tail": 1.0}, "above 1"),
    ("a negative width", {"wanted": -0.1}, "positive"),
    ("no cells", {"cells": ()}, "positive"),
    ("a coarse measurement of nothing", {"observed": {"x": (1.0, 0.1)}}, "a core"),
    ("a coarse measurement without spread", {"observed": {"a": 1.0}}, "relative standard deviation"),
    ("neither noise nor heterogeneity", {"noise": 0, "priors": {"heterogeneity": 0.0}}, "one of them"),
]


@pytest.mark.parametrize(("given", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_cannot_be_is_refused(given, words):
    table = {"core": ["a", "a", "b", "b"], "k": K, "z": [1.0, 2.0, 3.0, 4.0], "mean": K}
    table |= {name: given[name] for name in ("core", "k", "s", "z", "z2") if name in given}
    asked = {"value": "k", "levels": "core", "noise": 0.1}
    asked |= {name: v for name, v in given.items() if name not in ("core", "k", "s", "z", "z2", "noise_")}
    with pytest.raises(sb.InputError, match=words) as refusal:
        sb.upscale_measurements(table, **asked)
    assert refusal.value.cure


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "without rows"),
        ("a,b\n", "without rows"),
        ("a,a\n1,2\n", "each once"),
        ("a,b\n1\n", "one a column"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, text, words):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(sb.FileFormatError, match=words):
        read_columns(tmp_path / "t.csv")
    with pytest.raises(sb.FileFormatError, match="not a file"):
        read_columns(tmp_path / "none.csv")
    (tmp_path / "t.xls").write_text("x", encoding="utf-8")
    with pytest.raises(sb.FileFormatError, match="ends in"):
        read_columns(tmp_path / "t.xls")
