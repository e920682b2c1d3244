"""Bad input to the faces of elasticity: refused at once, with argument, got, wanted and cure."""

import time

import numpy as np
import pytest

import scalebridge as sb

TWO = np.indices((4, 4, 4)).sum(axis=0) % 2
SOFT, HARD = {"young": "3 GPa", "poisson": 0.35}, {"young": "70 GPa", "poisson": 0.2}
BOTH = {0: SOFT, 1: HARD}
WARM = {0: SOFT | {"expansion": 6e-5}, 1: HARD | {"expansion": 5e-6}}


def stiffness(image=TWO, phases=BOTH, **options):
    return lambda: sb.effective_stiffness(image, phases, **options)


def expansion(image=TWO, phases=WARM, **options):
    return lambda: sb.effective_expansion(image, phases, **options)


ROWS = {
    "no phases": stiffness(phases={}),
    "a label without a material": stiffness(phases={0: SOFT}),
    "a material without a voxel": stiffness(phases={**BOTH, 2: SOFT}),
    "phases as a list": stiffness(phases=[SOFT, HARD]),
    "a material that is a number": stiffness(phases={0: 3e9, 1: HARD}),
    "one constant": stiffness(phases={0: {"young": 1e9}, 1: HARD}),
    "three constants": stiffness(phases={0: {**SOFT, "bulk": 1e9}, 1: HARD}),
    "an unknown constant": stiffness(phases={0: {**SOFT, "yuong": 1e9}, 1: HARD}),
    "Poisson's ratio of a half": stiffness(phases={0: {"young": 1e9, "poisson": 0.5}, 1: HARD}),
    "a negative modulus": stiffness(phases={0: {"young": -1e9, "poisson": 0.3}, 1: HARD}),
    "a modulus that is none": stiffness(phases={0: {"young": float("nan"), "poisson": 0.3}, 1: HARD}),
    "a modulus in metres": stiffness(phases={0: {"young": "3 m", "poisson": 0.3}, 1: HARD}),
    "unstable cubic constants": stiffness(phases={0: {"c11": 1.0, "c12": 2.0, "c44": 1.0}, 1: HARD}),
    "a matrix without notation": stiffness(phases={0: {"stiffness": np.eye(6).tolist()}, 1: HARD}),
    "nothing but voids": stiffness(phases={"*": "void"}),
    "an image of floats": stiffness(image=TWO * 0.5),
    "an image in four dimensions": stiffness(image=TWO[None]),
    "an unknown scheme": stiffness(scheme="finite-volume"),
    "one point beside a void": stiffness(phases={0: "void", 1: HARD}, scheme="reduced"),
    "mirrored": stiffness(boundary="mirrored"),
    "an unknown budget": stiffness(budget="all"),
    "rtol of 2": stiffness(rtol=2.0),
    "no steps": stiffness(max_steps=0),
    "a temperature in metres": stiffness(temperature="3 m"),
    "a temperature below zero": stiffness(temperature=-1.0),
    "a voxel without a unit": stiffness(voxel="3"),
    "orientations of another number": stiffness(orientations=np.zeros((5, 3))),
    "quaternions of length zero": stiffness(orientations=np.zeros((2, 4))),
    "too little memory": stiffness(memory_limit=1000.0),
    "a file that is not there": stiffness(image="nothing.tif"),
    "an expansion of nothing": expansion(phases=BOTH),
    "a secant expansion without a reference": expansion(
        phases={0: WARM[0] | {"expansion_kind": "secant"}, 1: HARD}
    ),
    "an expansion in pascals": expansion(phases={0: SOFT | {"expansion": "3 Pa"}, 1: HARD}),
    "a temperature outside a table": expansion(
        phases={0: SOFT | {"expansion": [(300.0, 1e-5), (400.0, 2e-5)]}, 1: HARD}, temperature=500.0
    ),
    "a temperature that is missing": expansion(
        phases={0: SOFT | {"expansion": [(300.0, 1e-5), (400.0, 2e-5)]}, 1: HARD}
    ),
    "a stack of no layers": lambda: sb.laminate_stiffness([]),
    "a layer of no thickness": lambda: sb.laminate_stiffness([(0.0, SOFT), (1.0, HARD)]),
    "a normal of no length": lambda: sb.laminate_stiffness([(1.0, SOFT)], normal=(0.0, 0.0, 0.0)),
    "layers that do not expand": lambda: sb.laminate_expansion([(1.0, SOFT), (1.0, HARD)]),
    "plies of nothing": lambda: sb.lamination_theory([]),
    "a ply at an angle in metres": lambda: sb.lamination_theory([("1 mm", SOFT, "3 m")]),
    "a table of one temperature": lambda: sb.effective_thermoelasticity(TWO, WARM, [300.0]),
    "boxes larger than the image": lambda: sb.stiffness_rve_study(TWO, BOTH, sizes=[8]),
    "fractions that do not add up": lambda: sb.bound_elastic([(0.5, SOFT), (0.6, HARD)]),
    "inclusions more than all": lambda: sb.estimate_mori_tanaka(SOFT, [(1.2, HARD)]),
    "constants of an asymmetric matrix": lambda: sb.engineering_constants(np.triu(np.ones((6, 6)))),
    "a card of a vector": lambda: sb.stiffness_card(np.ones(6), "X"),
}


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """Load what the faces need, which is not part of the time that a refusal takes."""
    for name in (
        "effective_stiffness",
        "effective_thermoelasticity",
        "stiffness_rve_study",
        "stiffness_card",
    ):
        getattr(sb, name)
    sb.elastic_material(young="1 GPa", poisson=0.3).stiffness()


@pytest.mark.parametrize("call", ROWS.values(), ids=ROWS.keys())
def test_it_is_refused_within_a_second(call):
    started = time.process_time()
    with pytest.raises(sb.InputError) as refused:
        call()
    assert time.process_time() - started < 1.0
    error = refused.value
    assert all((error.argument, error.got, error.wanted, error.cure))
