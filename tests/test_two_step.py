"""Fine solutions handed to cores: by transport, and made in other surroundings than those of the core."""

import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from core_samples import MATERIALS
from scalebridge.core.errors import InputError
from scalebridge.reactor.core_tally import core_tally
from scalebridge.reactor.equivalent_constants import equivalent_constants
from scalebridge.reactor.pin_power import form_functions, pin_powers
from scalebridge.reactor.pin_regions import merged_pins
from scalebridge.reactor.solve_core import solve_core
from scalebridge.reactor.solve_transport import solve_transport
from scalebridge.reactor.two_step import two_step_core, window_around
from scalebridge.reactor.window_scales import matched_scales

ROOT = Path(__file__).parent.parent
SIDES = {"west": "reflective", "north": "reflective", "east": "vacuum", "south": "vacuum"}
CORE = [list("UMW"), list("MUW"), list("WWW")]
ASSEMBLIES = {"U": ["fff", "frf", "fff"], "M": ["mmm", "mrm", "mmm"], "W": ["www"] * 3}
TWO = [[0, 1, 2, 3], [4, 5, 6]]


def rms(study):
    return float(np.sqrt(np.nanmean(study.power_errors**2)))


@cache
def fine(names, boundary):
    """Small assemblies of 3 x 3 pins by fine finite volumes, 16 a pin."""
    rows = []
    for line in names:
        for row in range(3):
            pins = "".join(ASSEMBLIES[name][row] for name in line)
            for j in range(4):
                inside = j in (1, 2)
                rows.append([p if inside and i in (1, 2) else "w" for p in pins for i in range(4)])
    found = solve_core(
        rows, MATERIALS, pitch=0.5, boundary=dict(boundary), method="volumes", rtol=1e-11,
        mesh_error=False, derivatives=False,
    )  # fmt: skip
    return merged_pins(
        core_tally(found.problem, found.solution), [4] * (len(rows) // 4), [4] * (len(rows[0]) // 4)
    )


def solved(names, boundary):
    return fine(tuple(map(tuple, names)), tuple(boundary.items()))


def test_surroundings_like_those_of_the_core_halve_the_environment_error():
    whole = solved(CORE, SIDES)
    for method in ("discontinuity", "superhomogenization"):
        alone, corners = (
            two_step_core(
                CORE, solved, whole, fuelled="UM", boundary=SIDES, surroundings=surroundings, method=method
            )
            for surroundings in ("itself", "corners")
        )
        if method == "discontinuity":
            assert 5e-3 < rms(alone) < 5e-2
            assert rms(corners) < 0.5 * rms(alone)
        else:  # in assemblies this small its scales, matched at the water, already take half of it away
            assert rms(corners) < 0.9 * rms(alone) < 5e-3
        assert not corners.passed  # what is not kept fails its check
        assert "environment error" in corners.notes[0]


def test_scales_of_factors_follow_where_windows_overlap():
    # Factors of one whole, each window's multiplied by a number of its own: the numbers are found and undone
    rng = np.random.default_rng(4)
    whole, given = rng.uniform(0.8, 1.2, (6, 6, 2)), rng.uniform(0.5, 2.0, (4, 2))
    owner = np.repeat(np.repeat(np.arange(4).reshape(2, 2), 3, axis=0), 3, axis=1)
    parts = []
    for number in range(4):
        part = np.full_like(whole, np.nan)
        rows, columns = (slice(1, 6) if at else slice(0, 5) for at in divmod(number, 2))
        part[rows, columns] = whole[rows, columns] * given[number]
        parts.append(part)
    found = matched_scales(owner, parts) * given
    assert np.allclose(found, found[0], rtol=1e-12)
    assert np.all(matched_scales(owner * 0, parts) == 1.0)  # one window: nothing to match


def test_a_window_as_large_as_the_core_has_no_environment_error():
    found = two_step_core(
        [["U", "M"]],
        solved,
        solved([["U", "M"]], SIDES),
        fuelled="UM",
        boundary=SIDES,
        surroundings="corners",
    )
    # the middle windows are the whole; those at the edges see a mirror, as the whole does where it reflects
    whole = window_around([["U", "M"]], (-1, 1), (0, 2), SIDES)
    assert whole.names == (("U", "M"),)
    assert dict(whole.boundary) == {side: SIDES[side] for side in ("west", "east", "south", "north")}
    assert rms(found) < 0.05


def test_windows_keep_the_cores_sides_and_reflect_elsewhere():
    window = window_around(CORE, (0, 2), (1, 3), SIDES)
    assert window.names == (("M", "W"), ("U", "W"))
    assert dict(window.boundary) == {
        "west": "reflective", "east": "vacuum", "south": "reflective", "north": "reflective",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"core": [["U"], ["U", "M"]]}, "core"),
        ({"fuelled": "X"}, "fuelled"),
        ({"surroundings": "all"}, "surroundings"),
        ({"boundary": {"west": "vacuum"}}, "boundary"),
    ],
)
def test_two_steps_that_cannot_be_are_refused(given, argument):
    told = {"core": [["U"]], "fuelled": "U", "boundary": SIDES, "surroundings": "itself", **given}
    with pytest.raises(InputError) as caught:
        two_step_core(told.pop("core"), solved, solved([["U"]], SIDES), **told)
    assert caught.value.argument == argument


# ---------------------------------------------------------------------------------------------- transport


@cache
def transport_pins():
    """A colour-set of 2 x 2 assemblies of 3 x 3 pins of C5G7, in seven groups, beside a strip of water."""
    materials = tomllib.loads((ROOT / "examples" / "data" / "c5g7.toml").read_text(encoding="utf-8"))
    table = {
        "pitch": 1.26,
        "pins": {
            "U": {"radii": [0.54], "materials": ["UO2", "Moderator"], "sectors": 4},
            "M": {"radii": [0.54], "materials": ["MOX-4.3%", "Moderator"], "sectors": 4},
            "G": {"radii": [0.54], "materials": ["GuideTube", "Moderator"], "sectors": 4},
            "W": {"material": "Moderator", "mesh": 2},
        },
        "rows": [
            "U U U M M M W",
            "U G U M G M W",
            "U U U M M M W",
            "M M M U U U W",
            "M G M U G U W",
            "M M M U U U W",
        ],
        "boundary": {
            "west": "reflective",
            "north": "reflective",
            "south": "reflective",
            "east": "reflective",
        },
    }
    found = solve_transport(
        table, materials, azimuths=4, spacing=0.2, rtol=1e-7, k_tolerance=1e-9, progress=False
    )
    return found.pins, table["boundary"]


@pytest.mark.parametrize("groups", [None, TWO], ids=["seven groups", "two groups"])
def test_transport_is_kept_by_both_kinds_of_factors(groups):
    # 2 pcm and 0.01 % are asked; what is left is the convergence of the transport, 1e-7.
    pins, sides = transport_pins()
    for method in ("discontinuity", "superhomogenization"):
        found = equivalent_constants(pins, method, boundary=sides, groups=groups)
        assert found.passed, str(found)
        assert abs(found.k_error) < 0.1
        assert rms(found) < 1e-5
    weighted = equivalent_constants(pins, "flux weighting", boundary=sides, groups=groups)
    assert not weighted.passed
    assert rms(weighted) > 2e-3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_whole_c5g7_core_is_kept_and_its_environment_error_halved():
    # On coarse tracks: what is kept, and what surroundings change, does not depend on how fine they are.
    from benchmarks.two_step import CORE as C5G7
    from benchmarks.two_step import FUELLED, Transport

    solve = Transport(azimuths=4, spacing=0.2)
    whole = solve(C5G7, SIDES)
    for groups in (None, TWO):
        for method in ("discontinuity", "superhomogenization"):
            kept = equivalent_constants(whole, method, boundary=SIDES, groups=groups)
            assert abs(kept.k_error) < 2
            assert rms(kept) < 1e-4
        alone, corners = (
            two_step_core(
                C5G7, solve, whole, fuelled=FUELLED, boundary=SIDES, surroundings=surroundings, groups=groups
            )
            for surroundings in ("itself", "corners")
        )
        assert 0.01 < rms(alone) < 0.1
        assert rms(corners) < 0.5 * rms(alone)
        assert np.nanmax(np.abs(corners.power_errors)) < 0.5 * np.nanmax(np.abs(alone.power_errors))


# ------------------------------------------------------------------------------------------- pin powers


def test_powers_of_pins_inside_of_nodes_are_those_of_a_fine_mesh():
    core = [["f", "m"], ["m", "f"]]
    told = {"pitch": 12, "boundary": "reflective", "mesh_error": False, "derivatives": False}
    nodal = solve_core(core, MATERIALS, largest_cell=6, **told)
    exact = solve_core([[n for n in row for _ in range(6)] for row in core for _ in range(6)], MATERIALS,
        **{**told, "pitch": 2}, method="volumes", largest_cell=0.25)  # fmt: skip
    ones = {name: np.ones((6, 6)) for name in nodal.names}
    powers = pin_powers(nodal, ones)
    errors = powers / exact.power - 1
    # 0.8 %: fluxes bend within 2 cm of faces between fuels, and polynomials of 6 cm follow them that far
    assert np.sqrt((errors**2).mean()) < 1e-2
    np.testing.assert_allclose(powers.reshape(2, 6, 2, 6).mean(axis=(1, 3)), nodal.power, rtol=1e-9)


def test_form_functions_have_the_mean_one_and_are_followed():
    forms = form_functions(solved([["U"]], dict.fromkeys(("west", "east", "south", "north"), "reflective")))
    assert forms.mean() == pytest.approx(1.0)
    assert forms[1, 1] == 0  # the absorber in the middle
    found = solve_core([["f"]], MATERIALS, pitch=6, boundary="reflective", method="volumes")
    np.testing.assert_allclose(pin_powers(found, {"f": forms}), forms, rtol=1e-9)
    for wrong in ({"x": forms}, {"f": -forms}, {"f": [1.0]}, {}):
        with pytest.raises(InputError, match="forms"):
            pin_powers(found, wrong)
    with pytest.raises(InputError, match="plane"):
        pin_powers(solve_core(["f"], MATERIALS, pitch=6, boundary="reflective"), {"f": forms})
