"""Derivatives of k against central differences of the same discrete problem."""

from dataclasses import replace

import numpy as np
import pytest

from lattice_samples import C5G7, MIXED, ROOT, TWO_GROUPS, cells, small_lattice, two_group_table
from scalebridge.cli.case_file import load_case
from scalebridge.core.errors import InputError
from scalebridge.reactor.lattice import lattice
from scalebridge.reactor.lattice_cells import pin_cell
from scalebridge.reactor.sensitivity import k_sensitivity
from scalebridge.reactor.solve_transport import solve_transport

TIGHT = {
    "azimuths": 4,
    "spacing": 0.3,
    "rtol": 1e-10,
    "k_tolerance": 1e-13,
    "max_steps": 2000,
    "polar_count": 2,
}
CLAD = {"total": [0.3, 0.4], "scatter": [[0.29, 0.005], [0.0, 0.38]], "nu_fission": [0.0, 0.0]}
DENSE = ("total", "scatter", "nu_fission", "fission", "absorption")
PIN = small_lattice(("U",))
ASSEMBLY = small_lattice(("U U U", "U G U", "U 4 W"), MIXED)


def solved(found, materials=C5G7):
    return solve_transport(found, materials, **TIGHT)


def difference(found, name, key, index, step=5e-4):
    def k(change):
        values = np.array(getattr(C5G7[name], key))
        values[index] += change
        return solved(found, {**C5G7, name: replace(C5G7[name], **{key: values})}).multiplication

    change = step * max(abs(getattr(C5G7[name], key)[index]), 1e-3)
    return (k(change) - k(-change)) / (2.0 * change)


@pytest.fixture(scope="module")
def pin():
    solution = solved(PIN)
    return solution, k_sensitivity(solution, rtol=1e-10)


@pytest.fixture(scope="module")
def assembly():
    solution = solved(ASSEMBLY)
    return solution, k_sensitivity(solution, rtol=1e-10)


@pytest.mark.parametrize(
    ("name", "key", "index"),
    [
        ("UO2", "total", (0,)),
        pytest.param("Moderator", "total", (6,), marks=pytest.mark.slow),
        pytest.param("UO2", "nu_fission", (6,), marks=pytest.mark.slow),
        pytest.param("UO2", "chi", (1,), marks=pytest.mark.slow),
        ("Moderator", "scatter", (0, 0, 1)),
    ],
)
def test_a_pin_cell(pin, name, key, index):
    slope = getattr(pin[1], key)[name][index if key != "scatter" else index[1:]]
    assert slope == pytest.approx(
        difference(PIN, name, key, index), rel=1e-4
    )  # the step's square leaves 1e-5


@pytest.mark.parametrize(
    ("name", "key", "index"),
    [("UO2", "total", (5,)), pytest.param("GuideTube", "total", (6,), marks=pytest.mark.slow),
     pytest.param("MOX-4.3%", "nu_fission", (6,), marks=pytest.mark.slow),
     ("Moderator", "scatter", (0, 5, 6))],
)  # fmt: skip
def test_an_assembly(assembly, name, key, index):
    slope = getattr(assembly[1], key)[name][index if key != "scatter" else index[1:]]
    assert slope == pytest.approx(difference(ASSEMBLY, name, key, index), rel=1e-4)


@pytest.mark.parametrize("name", ["UO2", pytest.param("Moderator", marks=pytest.mark.slow)])
def test_a_density_moves_all_cross_sections(pin, name):
    def k(scale):
        m = C5G7[name]
        scaled = {key: scale * getattr(m, key) for key in DENSE}
        return solved(PIN, {**C5G7, name: replace(m, **scaled)}).multiplication

    slope = pin[1].density(pin[0])[name]
    assert slope == pytest.approx((k(1.0005) - k(0.9995)) / 1e-3, rel=1e-4)


def test_radii_move_areas_and_lengths_of_segments():
    def at(*radii):
        pin = {"radii": radii, "materials": ["fuel", "clad", "water"], "subdivisions": [2, 1], "sectors": 2}
        pins = {"P": pin, "W": {"material": "water", "mesh": 1}}
        table = {"pitch": 1.2, "pins": pins, "rows": ["P W"], "boundary": {**MIXED, "east": 0.5}}
        return solve_transport(table, {**TWO_GROUPS, "clad": TWO_GROUPS["fuel"] | CLAD}, **TIGHT)

    slopes = k_sensitivity(at(0.46, 0.51), rtol=1e-10)
    for i, moved in enumerate(((1e-5, 0.0), (0.0, 1e-5))):
        sides = [at(0.46 + s * moved[0], 0.51 + s * moved[1]).multiplication for s in (1, -1)]
        wanted = (sides[0] - sides[1]) / 2e-5
        assert slopes.radius["P"][i] == pytest.approx(wanted, rel=1e-5)  # no circle meets another track
    assert [len(slopes.radius[key]) for key in "PW"] == [2, 0]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_whole_assembly():
    # An assembly of UO2 of C5G7, 17 by 17 pins with guide tubes, beside another boundary
    case = load_case(ROOT / "examples" / "c5g7.toml").lattice
    pins = {key: cells()[key] for key in "UG"}
    pins["F"] = pin_cell([0.54], ["FissionChamber", "Moderator"], sectors=4)
    found = lattice(pins, case.assemblies["uo2"], pitch="1.26 cm", boundary={**MIXED, "south": "reflective"})
    solution = solved(found)
    slopes = k_sensitivity(solution, rtol=1e-9)
    assert all(check.passed for check in slopes.checks)
    for name, key, index in (("UO2", "total", (6,)), ("Moderator", "scatter", (0, 5, 6))):
        slope = getattr(slopes, key)[name][index if key != "scatter" else index[1:]]
        assert slope == pytest.approx(difference(found, name, key, index), rel=1e-4)


def test_the_adjoint_problem_has_the_same_k_and_balances(pin, assembly):
    for _, slopes in (pin, assembly):
        assert all(check.passed for check in slopes.checks)
        assert slopes.adjoint.min() > 0


def test_k_goes_with_nu(pin):
    # k is of degree one in all nu_fission together, an identity of the discrete problem
    solution, slopes = pin
    made = sum(float(slopes.nu_fission[n] @ m.nu_fission) for n, m in solution.materials.items())
    assert made == pytest.approx(solution.multiplication, rel=1e-8)


def test_a_closed_lattice_does_not_feel_all_densities_together():
    # Twice the density is half the size; nothing leaves an infinite medium of one material
    table = two_group_table(["F"])
    solution = solve_transport(table, {"fuel": TWO_GROUPS["fuel"], "water": TWO_GROUPS["fuel"]}, **TIGHT)
    total = sum(k_sensitivity(solution, rtol=1e-10).density(solution).values())
    assert abs(total) < 1e-7 * solution.multiplication  # what iterations leave


def test_a_spread_of_data_is_a_spread_of_k(pin):
    slopes = pin[1]
    one = np.zeros((7, 7))
    one[6, 6] = 1e-4
    assert slopes.spread({("UO2", "nu_fission"): one}) == pytest.approx(
        1e-2 * abs(slopes.nu_fission["UO2"][6]), rel=1e-12
    )
    two = {("UO2", "nu_fission"): one, ("UO2", "total"): 4.0 * one}
    both = np.hypot(1e-2 * slopes.nu_fission["UO2"][6], 2e-2 * slopes.total["UO2"][6])
    assert slopes.spread(two) == pytest.approx(both, rel=1e-12)


@pytest.mark.parametrize(
    ("covariance", "words"),
    [
        ({("UO2", "kappa"): np.eye(7)}, "kappa"),
        ({("lead", "total"): np.eye(7)}, "lead"),
        ({("UO2", "total"): np.eye(6)}, "(6, 6)"),
        ({("UO2", "total"): -np.eye(7)}, "positive semidefinite"),
    ],
)
def test_covariances_that_cannot_be(pin, covariance, words):
    with pytest.raises(InputError, match="covariance") as caught:
        pin[1].spread(covariance)
    assert words in str(caught.value)


def turning():
    """Two groups with moments of scattering, alike in none."""
    shares = {"fuel": (0.2, 0.05), "water": (0.5, 0.2)}
    return {
        name: {**m, "scatter": [m["scatter"], *(np.multiply(s, m["scatter"]).tolist() for s in shares[name])]}
        for name, m in TWO_GROUPS.items()
    }


@pytest.mark.parametrize(("sources", "order"), [("flat", 2), ("linear", 0), ("linear", 1)])
def test_scattering_with_its_angle_and_linear_sources(sources, order):
    table = two_group_table(["F W"], {**MIXED, "south": "reflective"})
    options = {**TIGHT, "spacing": 0.2, "polar": "gauss", "sources": sources, "scattering_order": order}

    def k(name=None, key="total", index=(), change=0.0):
        data = turning()
        if name is not None:
            values = np.array(data[name][key], float)
            values[index] += change
            data[name] = {**data[name], key: values.tolist()}
        return solve_transport(table, data, **options)

    solution = k()
    slopes = k_sensitivity(solution, rtol=1e-10)
    assert all(check.passed for check in slopes.checks)
    cases = [
        ("water", "total", (1,), slopes.total["water"][1]),
        ("fuel", "total", (0,), slopes.total["fuel"][0]),
    ]
    cases += [("fuel", "nu_fission", (1,), slopes.nu_fission["fuel"][1])]
    cases += [("water", "scatter", (0, 0, 1), slopes.scatter["water"][0, 1])]
    cases += [
        ("water", "scatter", (n, 1, 1), slopes.moments["water"][n - 1, 1, 1]) for n in range(1, order + 1)
    ]
    for name, key, index, slope in cases:
        step = 1e-4
        sides = [k(name, key, index, s * step).multiplication for s in (1, -1)]
        assert slope == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=2e-6), (name, key, index)
    dense = {
        n: {c: (1.0005 * np.array(v)).tolist() for c, v in m.items() if c != "chi"}
        for n, m in turning().items()
    }
    thin = {
        n: {c: (0.9995 * np.array(v)).tolist() for c, v in m.items() if c != "chi"}
        for n, m in turning().items()
    }
    ks = [
        solve_transport(table, {**turning(), "water": data["water"]}, **options).multiplication
        for data in (dense, thin)
    ]
    assert slopes.density(solution)["water"] == pytest.approx((ks[0] - ks[1]) / 1e-3, rel=1e-5)


def test_radii_where_scattering_has_its_angle():
    options = {**TIGHT, "polar": "gauss", "scattering_order": 1}

    def at(radius):
        pin = {"radii": [radius], "materials": ["fuel", "water"], "sectors": 4}
        table = {
            "pitch": 1.2,
            "pins": {"P": pin},
            "rows": ["P"],
            "boundary": {**MIXED, "south": "reflective"},
        }
        return solve_transport(table, turning(), **options)

    slope = k_sensitivity(at(0.46), rtol=1e-10).radius["P"][0]
    wanted = (at(0.46001).multiplication - at(0.45999).multiplication) / 2e-5
    assert slope == pytest.approx(wanted, rel=1e-5)


def test_a_given_source_has_no_k():
    solution = solved_source()
    with pytest.raises(InputError, match="eigenvalue"):
        k_sensitivity(solution)


def solved_source():
    return solve_transport(
        small_lattice(("W",)), C5G7, azimuths=4, spacing=0.3, source={"Moderator": [1.0] * 7}
    )
