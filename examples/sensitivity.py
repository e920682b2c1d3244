"""Which fluid fills the pores? An inverse question, answered with derivatives of the plain function.

`effective_conductivity` is a function that JAX differentiates with respect to the phases' values: the
derivative comes from the same solves, by implicit differentiation. Newton's method then finds the pore
fluid's conductivity from that of the saturated medium in a few solves.
"""

import jax
import numpy as np

import scalebridge as sb

SOLID = 7.7  # W/m/K
FLUID = 0.6  # W/m/K; what the program has to find again
MEDIUM = sb.random_spheres(32, volume_fraction=0.3, count=5, seed=1, dim=2)  # label 1: solid discs
TIGHT = {"rtol": 1e-12, "residual_rtol": 1e-10, "progress": False}


def along_x(fluid: float) -> jax.Array:
    """Return the effective conductivity along x for a pore fluid."""
    return sb.effective_conductivity(MEDIUM, {0: fluid, 1: SOLID}, **TIGHT).value[0, 0]


def main() -> None:
    """Saturate the medium, forget the fluid, and find it again."""
    measured = sb.effective_conductivity(MEDIUM, {0: FLUID, 1: SOLID}, **TIGHT)
    ask = jax.value_and_grad(along_x)
    _, slope = ask(FLUID)
    # The same number without JAX's transformations: the load cases already solved contain it.
    np.testing.assert_allclose(slope, measured.derivatives["phase 0"][0, 0], rtol=1e-9)

    guess, goal = 0.2, measured.value[0, 0]
    for step in range(8):
        value, slope = ask(guess)
        print(f"step {step}: fluid {guess:.9f} W/m/K, medium {value:.9f} W/m/K, slope {slope:.4f}")
        if abs(value - goal) < 1e-11 * goal:
            break
        guess += float((goal - value) / slope)
    np.testing.assert_allclose(guess, FLUID, rtol=1e-9)


if __name__ == "__main__":
    main()
