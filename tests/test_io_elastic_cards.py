"""Stiffness cards: types, orders, shear factors, units, and what CalculiX makes of them."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalebridge.core.errors import InputError
from scalebridge.io.card_data import secant_expansion
from scalebridge.io.elastic_cards import stiffness_card

ROOT2 = np.sqrt(2)
ROOTS = np.array([1, 1, 1, ROOT2, ROOT2, ROOT2])
PAIRS = [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]


def labelled():
    """C_ijkl = ij.kl as digits on top of a positive definite diagonal, so that any swap shows."""
    tensor = np.array([[10 * min(i, j) + max(i, j) for j in range(1, 7)] for i in range(1, 7)], float)
    return tensor + np.diag([500.0] * 6)


# In Mandel's order: C[a, b] of pairs a, b in 11, 22, 33, 23, 13, 12.
TENSOR = labelled()
MANDEL = TENSOR * np.outer(ROOTS, ROOTS)
EXPANSION = np.array([1e-5, 2e-5, 3e-5, 4e-6 * ROOT2, 5e-6 * ROOT2, 6e-6 * ROOT2])  # alpha23 is 4e-6
TEMPERATURES = np.array([293.0, 393.0, 493.0])


def isotropic(young, poisson):
    bulk, shear = young / (3 - 6 * poisson), young / (2 + 2 * poisson)
    sphere = np.outer([1, 1, 1, 0, 0, 0], [1, 1, 1, 0, 0, 0]) / 3
    return 3 * bulk * sphere + 2 * shear * (np.eye(6) - sphere)


def orthotropic():
    compliance = np.diag([1 / 140, 1 / 10, 1 / 9, 1 / 7, 1 / 9.6, 1 / 10.4])
    for ratio, e, (i, j) in [(0.3, 140, (0, 1)), (0.28, 140, (0, 2)), (0.45, 10, (1, 2))]:
        compliance[i, j] = compliance[j, i] = -ratio / e
    return np.linalg.inv(compliance)


def section(card, keyword):
    """Return the numbers after a keyword up to the next one."""
    lines = card.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(keyword)) + 1
    end = next((i for i in range(start, len(lines)) if lines[i].startswith("*")), len(lines))
    return [float(x) for line in lines[start:end] for x in line.split(",")]


def kind(card, keyword):
    return next(line for line in card.splitlines() if line.startswith(keyword)).partition("TYPE=")[2]


@pytest.mark.parametrize("dialect", ["calculix", "abaqus"])
def test_anisotropic_constants_come_column_by_column(dialect):
    """Both manuals: D1111, D1122, D2222, D1133, D2233, D3333, D1112, D2212, D3312, D1212, D1113, ..."""
    card = stiffness_card(MANDEL, "m", dialect)
    assert kind(card, "*ELASTIC") == {"calculix": "ANISO", "abaqus": "ANISOTROPIC"}[dialect]
    order = ["11", "22", "33", "12", "13", "23"]
    place = {"11": 0, "22": 1, "33": 2, "23": 3, "13": 4, "12": 5}
    expected = [TENSOR[place[order[r]], place[order[c]]] for c in range(6) for r in range(c + 1)]
    assert section(card, "*ELASTIC") == pytest.approx(expected, rel=1e-8)


def test_shear_expansions_are_tensors_in_calculix_and_engineering_in_abaqus():
    tensor = [1e-5, 2e-5, 3e-5, 6e-6, 5e-6, 4e-6]  # 11, 22, 33, 12, 13, 23
    calculix = stiffness_card(MANDEL, "m", "calculix", expansion=EXPANSION)
    abaqus = stiffness_card(MANDEL, "m", "abaqus", expansion=EXPANSION)
    assert section(calculix, "*EXPANSION") == pytest.approx(tensor)
    assert section(abaqus, "*EXPANSION") == pytest.approx(np.multiply(tensor, [1, 1, 1, 2, 2, 2]))


def test_ansys_orders_xy_yz_xz():
    """Material Reference 3.3: C1-C6 are D11, D21, D31, D41, D51, D61; rows x, y, z, xy, yz, xz."""
    lines = stiffness_card(MANDEL, "m", "ansys").splitlines()
    assert "TB,ANEL,1,1,,0" in lines
    rows = [line.split(",")[2:] for line in lines if line.startswith("TBDATA")]
    found = [float(x) for row in rows for x in row]
    place = [0, 1, 2, 5, 3, 4]
    expected = [TENSOR[place[r], place[c]] for c in range(6) for r in range(c, 6)]
    assert found == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("stiffness", "calculix", "count"),
    [(isotropic(70.0, 0.33), "ISO", 2), (orthotropic(), "ORTHO", 9), (MANDEL, "ANISO", 21)],
)
def test_the_simplest_type_is_chosen(stiffness, calculix, count):
    card = stiffness_card(stiffness, "m")
    assert kind(card, "*ELASTIC") == calculix
    assert len(section(card, "*ELASTIC")) == count


def test_isotropic_and_orthotropic_constants():
    assert section(stiffness_card(isotropic(70.0, 0.33), "m"), "*ELASTIC") == pytest.approx([70, 0.33])
    stiffness = orthotropic()
    found = section(stiffness_card(stiffness, "m"), "*ELASTIC")
    expected = [stiffness[0, 0], stiffness[0, 1], stiffness[1, 1], stiffness[0, 2], stiffness[1, 2]]
    expected += [stiffness[2, 2], 5.2, 4.8, 3.5]  # G12, G13, G23
    assert found == pytest.approx(expected, rel=1e-8)
    ansys = stiffness_card(stiffness, "m", "ansys")
    moduli = {
        line.split(",")[1]: float(line.split(",")[3]) for line in ansys.splitlines() if line[:3] == "MP,"
    }
    names = ["EX", "EY", "EZ", "PRXY", "PRXZ", "PRYZ", "GXY", "GXZ", "GYZ"]
    assert [moduli[n] for n in names] == pytest.approx([140, 10, 9, 0.3, 0.28, 0.45, 5.2, 4.8, 3.5], rel=1e-7)


def test_tolerance_decides_the_type():
    nearly = isotropic(70.0, 0.33)
    nearly[0, 0] += 0.01
    assert kind(stiffness_card(nearly, "m"), "*ELASTIC") == "ORTHO"
    assert kind(stiffness_card(nearly, "m", rtol=1e-3), "*ELASTIC") == "ISO"
    table = np.stack([isotropic(70.0, 0.33), orthotropic()])
    card = stiffness_card(table, "m", temperatures=[300.0, 400.0])
    assert kind(card, "*ELASTIC") == "ORTHO"  # one type for all temperatures


def test_units_and_degrees():
    card = stiffness_card(
        np.stack([isotropic(70e9, 0.33)] * 2),
        "m",
        density=2700.0,
        expansion=np.array([[23e-6] * 3 + [0] * 3] * 2),
        temperatures=[293.15, 373.15],
        reference=293.15,
        units="N-mm-MPa",
        temperature_unit="degC",
    )
    assert section(card, "*ELASTIC") == pytest.approx([7e4, 0.33, 20, 7e4, 0.33, 100])
    assert section(card, "*DENSITY") == pytest.approx([2.7e-9, 20, 2.7e-9, 100])
    assert "*EXPANSION, TYPE=ISO, ZERO=20" in card
    assert "MPa" in card.splitlines()[0]


def test_ansys_tables_beyond_six_temperatures():
    levels = np.linspace(0, 600, 8) + 273.15
    card = stiffness_card(
        np.stack([MANDEL] * 8), "m", "ansys", temperatures=levels, temperature_unit="degC", number=3
    )
    lines = card.splitlines()
    assert "TB,ELAS,3,,,AELS" in lines
    assert sum(line.startswith("TBFIELD,TEMP,") for line in lines) == 8
    few = stiffness_card(np.stack([MANDEL] * 2), "m", "ansys", temperatures=[300.0, 400.0])
    assert "TB,ANEL,1,2,,0" in few.splitlines()
    assert "TBTEMP,300" in few.splitlines()


def test_ansys_expansion_needs_its_principal_axes():
    straight = stiffness_card(MANDEL, "m", "ansys", expansion=[1e-5, 2e-5, 3e-5, 0, 0, 0])
    assert "MP,ALPY,1,2.00000000e-05" in straight.splitlines()
    with pytest.raises(InputError, match="ALPX"):
        stiffness_card(MANDEL, "m", "ansys", expansion=EXPANSION)


def test_json_says_everything():
    told = json.loads(
        stiffness_card(
            np.stack([MANDEL] * 3),
            "steel",
            "json",
            expansion=np.stack([EXPANSION] * 3),
            temperatures=TEMPERATURES,
            reference=300.0,
            density=7850.0,
            units="N-mm-MPa",
        )
    )
    assert "Mandel" in told["notation"]
    assert np.array(told["stiffness"]["values"]) == pytest.approx(np.stack([MANDEL] * 3), rel=1e-14)
    assert np.array(told["expansion"]["values"]) == pytest.approx(np.stack([EXPANSION] * 3), rel=1e-14)
    assert told["stiffness"]["unit"] == "Pa"
    assert told["expansion"]["reference"] == 300
    assert told["temperature"]["values"] == TEMPERATURES.tolist()


@given(st.integers(0, 1000), st.sampled_from([1e-20, 1.0, 1e12]))
def test_lines_fit_and_digits_stay(seed, scale):
    root = np.random.default_rng(seed).normal(size=(6, 6))
    stiffness = scale * (root @ root.T + np.eye(6))
    levels = [293.15, 373.15]
    card = stiffness_card(np.stack([stiffness] * 2), "m", temperatures=levels)
    lines = card.splitlines()
    assert all(
        len(line) <= 132 for line in lines if not line.startswith("**")
    )  # older CalculiX reads no more
    assert all(len(x) <= 20 for line in lines if line[0] != "*" for x in line.split(","))
    assert all(len(line.split(",")) <= 8 for line in lines if line[0] != "*")
    found = np.reshape(section(card, "*ELASTIC"), (2, 22))
    assert found[:, 21].tolist() == levels
    place = [0, 1, 2, 5, 4, 3]
    tensor = stiffness / np.outer(ROOTS, ROOTS)
    upper = [tensor[place[r], place[c]] for c in range(6) for r in range(c + 1)]
    assert found[0, :21] == pytest.approx(upper, rel=1e-8)


def test_secant_of_tangent_is_exact_for_linear_pieces():
    levels = np.array([250.0, 300.0, 400.0, 500.0])
    tangent = np.array([1e-5, 1.5e-5, 1.2e-5, 2e-5])
    found = secant_expansion(levels, tangent, 350.0)
    # The tangent at 350 is 1.35e-5; trapezia by hand.
    expected = [
        (50 * 1.425e-5 + 50 * 1.25e-5) / 100,
        1.425e-5,
        1.275e-5,
        (50 * 1.275e-5 + 100 * 1.6e-5) / 150,
    ]
    assert found == pytest.approx(expected, rel=1e-13)
    card = stiffness_card(
        np.stack([isotropic(70.0, 0.3)] * 4),
        "m",
        temperatures=levels,
        expansion=tangent[:, None] * np.array([1, 1, 1, 0, 0, 0]),
        expansion_kind="tangent",
        reference=350.0,
    )
    assert section(card, "*EXPANSION")[::2] == pytest.approx(expected, rel=1e-8)


GOOD = {"stiffness": MANDEL, "name": "m"}
TABLE = {"stiffness": np.stack([MANDEL] * 3), "temperatures": TEMPERATURES}
EXPANDING = {"expansion": np.stack([EXPANSION] * 3)}


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"stiffness": np.eye(3)}, "stiffness"),
        ({"stiffness": np.full((6, 6), np.nan)}, "stiffness"),
        ({"stiffness": np.triu(np.ones((6, 6)))}, "stiffness"),
        ({"stiffness": -np.eye(6)}, "stiffness"),
        ({"stiffness": np.diag([1.0, 1, 1, 1, 1, 0])}, "stiffness"),
        ({"stiffness": np.stack([MANDEL] * 3)}, "stiffness"),
        (TABLE | {"stiffness": MANDEL}, "stiffness"),
        (TABLE | {"temperatures": [300.0, 300.0, 400.0]}, "temperatures"),
        (TABLE | {"temperatures": [-20.0, 20.0, 100.0]}, "temperatures"),
        (TABLE | EXPANDING, "reference"),
        (TABLE | EXPANDING | {"reference": 200.0, "expansion_kind": "tangent"}, "reference"),
        (TABLE | EXPANDING | {"reference": 300.0, "expansion_kind": "mean"}, "expansion_kind"),
        ({"expansion": [1e-5] * 3}, "expansion"),
        ({"expansion": [np.inf] * 6}, "expansion"),
        ({"density": 0.0}, "density"),
        ({"density": [1.0, 2.0]}, "density"),
        ({"name": " % "}, "name"),
        ({"dialect": "nastran"}, "dialect"),
        ({"units": "psi"}, "units"),
        ({"temperature_unit": "degF"}, "temperature_unit"),
        ({"rtol": 1.0}, "rtol"),
        ({"dialect": "ansys", "number": 0}, "number"),
        ({"dialect": "ansys", "expansion": EXPANSION}, "expansion"),
        (
            {
                "dialect": "ansys",
                "stiffness": np.stack([MANDEL] * 101),
                "temperatures": np.arange(101) + 300.0,
            },
            "temperatures",
        ),
    ],
)
def test_refusals_have_four_parts(change, argument):
    with pytest.raises(InputError) as caught:
        stiffness_card(**(GOOD | change))
    assert caught.value.argument == argument
    assert caught.value.got
    assert caught.value.wanted
    assert caught.value.cure


# ------------------------------------------------------------------------------------------- CalculiX

needs_ccx = pytest.mark.skipif(shutil.which("ccx") is None, reason="CalculiX (ccx) is not installed")
CORNERS = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
DECK = """*NODE,NSET=ALL
{nodes}
*ELEMENT,TYPE=C3D8,ELSET=BAR
{elements}
{card}*SOLID SECTION,ELSET=BAR,MATERIAL=CELL
*INITIAL CONDITIONS,TYPE=TEMPERATURE
ALL,{start}
{steps}"""
STEP = """*STEP
*STATIC
*BOUNDARY,OP=NEW
{boundary}
*TEMPERATURE
ALL,{temperature}
*NODE PRINT,NSET=ALL
U
*EL PRINT,ELSET=BAR
S
*END STEP
"""
PLACES = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]  # the order of printed stresses


class Bar:
    """A bar of cubes side by side along x, whose nodes are counted from 1."""

    def __init__(self, cubes):
        self.points = []
        elements = []
        for cube in range(cubes):
            corners = [(x + cube, y, z) for x, y, z in CORNERS]
            self.points += [point for point in corners if point not in self.points]
            numbers = [self.points.index(corner) + 1 for corner in corners]
            elements.append(",".join(map(str, [cube + 1, *numbers])))
        self.elements = "\n".join(elements)
        self.cubes = cubes

    def run(self, folder, card, steps, start=293.0):
        """Solve the steps; return displacements (steps, nodes, 3) and stresses (steps, points, 6)."""
        nodes = "\n".join(f"{i},{x},{y},{z}" for i, (x, y, z) in enumerate(self.points, 1))
        blocks = "".join(STEP.format(boundary=b, temperature=t) for b, t in steps)
        deck = DECK.format(nodes=nodes, elements=self.elements, card=card, start=start, steps=blocks)
        (folder / "bar.inp").write_text(deck)
        subprocess.run([shutil.which("ccx"), "bar"], cwd=folder, check=True, capture_output=True, timeout=60)
        rows = [line.split() for line in (folder / "bar.dat").read_text().splitlines()]
        moved = np.array([r[1:] for r in rows if len(r) == 4 and r[0].isdigit()], float)
        stressed = np.array([r[2:] for r in rows if len(r) == 8 and r[0].isdigit()], float)
        return (
            moved.reshape(len(steps), len(self.points), 3),
            stressed.reshape(len(steps), 8 * self.cubes, 6),
        )

    def stretched(self, strain):
        """Prescribe the displacements of a uniform strain on every node."""
        return "\n".join(
            f"{i},{axis + 1},{axis + 1},{(strain @ point)[axis]:.12e}"
            for i, point in enumerate(np.array(self.points, float), 1)
            for axis in range(3)
        )

    @property
    def free(self):
        """Hold the six motions of a rigid body and nothing else, at nodes 1, 2 and 4."""
        return "1,1,3\n2,2,3\n4,3,3"


def mandel_strain(component):
    strain = np.zeros((3, 3))
    i, j = PAIRS[component]
    strain[i, j] = strain[j, i] = 1.0 if i == j else 1 / ROOT2
    return strain


def mandel_stress(printed):
    """Stresses as printed, 11, 22, 33, 12, 13, 23, in Mandel notation."""
    tensor = dict(zip(PLACES, printed, strict=True))
    return np.array([tensor[i, j] if i == j else ROOT2 * tensor[min(i, j), max(i, j)] for i, j in PAIRS])


@needs_ccx
@pytest.mark.parametrize("cubes", [1, 8])
def test_calculix_gives_the_stiffness_back(tmp_path, cubes):
    """Six strains, one at a time: the stresses are the columns of the matrix."""
    bar = Bar(cubes)
    card = stiffness_card(MANDEL, "CELL", "calculix")
    size = 1e-3
    steps = [(bar.stretched(size * mandel_strain(component)), 293.0) for component in range(6)]
    _, stresses = bar.run(tmp_path, card, steps)
    found = np.array([mandel_stress(one.mean(axis=0)) for one in stresses]).T / size
    assert np.ptp(stresses, axis=1).max() < 1e-5 * np.abs(stresses).max()  # uniform
    assert found == pytest.approx(MANDEL, rel=2e-6, abs=1e-6 * MANDEL.max())  # it prints seven digits
    assert not np.allclose(found, MANDEL[:, [0, 1, 2, 4, 3, 5]], rtol=1e-3)  # a swap would be seen


@needs_ccx
def test_calculix_expands_as_the_tensor_says(tmp_path):
    """A free bar heated by 100 K: every node moves by the strain alpha 100 K, up to a rigid motion."""
    bar = Bar(2)
    card = stiffness_card(1e9 * MANDEL, "CELL", "calculix", expansion=EXPANSION)
    moved, stresses = bar.run(tmp_path, card, [(bar.free, 393.0)])
    points = np.array(bar.points, float)
    gradient = np.linalg.lstsq(np.c_[points, np.ones(len(points))], moved[0], rcond=None)[0][:3].T
    strain = (gradient + gradient.T) / 2
    expected = np.array([[1e-5, 6e-6, 5e-6], [6e-6, 2e-5, 4e-6], [5e-6, 4e-6, 3e-5]])
    assert strain == pytest.approx(100 * expected, rel=1e-5)
    assert np.abs(stresses).max() < 1e-6 * 1e9 * MANDEL.max() * 3e-3  # free of stress


@needs_ccx
@pytest.mark.parametrize("temperature", [343.0, 393.0, 463.0])
def test_calculix_interpolates_stiffness_and_secant_expansion(tmp_path, temperature):
    """Between temperatures both tables are taken as linear, and the strain is alpha(T) (T - ZERO)."""
    stiffness = 1e9 * np.stack([MANDEL, 0.8 * MANDEL, 0.5 * MANDEL])
    growing = np.stack([EXPANSION, 1.2 * EXPANSION, 1.5 * EXPANSION])
    card = stiffness_card(stiffness, "CELL", expansion=growing, temperatures=TEMPERATURES, reference=293.0)
    bar = Bar(1)
    held = bar.stretched(np.zeros((3, 3)))
    pulled = bar.stretched(1e-3 * mandel_strain(0))
    _, stresses = bar.run(tmp_path, card, [(held, temperature), (pulled, temperature)])
    share = np.interp(temperature, TEMPERATURES, [1, 0.8, 0.5])
    growth = np.interp(temperature, TEMPERATURES, [1, 1.2, 1.5])
    thermal = -share * growth * 1e9 * (MANDEL @ EXPANSION) * (temperature - 293.0)
    own = 1e-3 * share * 1e9 * MANDEL[:, 0]
    assert mandel_stress(stresses[0].mean(axis=0)) == pytest.approx(thermal, rel=2e-5)
    difference = mandel_stress(stresses[1].mean(axis=0)) - mandel_stress(stresses[0].mean(axis=0))
    assert difference == pytest.approx(own, rel=1e-3)  # a difference of larger numbers of seven digits


@needs_ccx
def test_calculix_bar_of_a_simpler_type_answers_alike(tmp_path):
    """An orthotropic material as ORTHO and, forced by a tiny coupling, as ANISO answers the same."""
    bar = Bar(3)
    steps = [(bar.stretched(1e-3 * (mandel_strain(0) + mandel_strain(4))), 293.0)]
    simple = bar.run(tmp_path, stiffness_card(orthotropic(), "CELL"), steps)[1]
    full = orthotropic()
    full[0, 5] = full[5, 0] = 1e-3  # above the tolerance, and coupled to a strain that is zero here
    coupled = bar.run(tmp_path, stiffness_card(full, "CELL"), steps)[1]
    assert coupled[..., [0, 1, 2, 4]] == pytest.approx(simple[..., [0, 1, 2, 4]], rel=1e-6)
