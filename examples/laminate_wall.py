"""A wall of four layers: its conductivity across and along, its heat loss, and which layer decides it.

Heat has to pass the layers one after the other, so that their resistances add up: the textbook rule that the
program holds its answer against.
"""

import numpy as np

import scalebridge as sb

LAYERS = {
    "plaster": (0.015, 0.70),
    "brick": (0.240, 0.50),
    "mineral wool": (0.160, 0.035),
    "render": (0.010, 0.87),
}  # thickness in m, conductivity in W/m/K
SURFACES = 0.13 + 0.04  # m2 K/W, the air's resistance inside and outside (ISO 6946)


def main() -> None:
    """Ask for the wall, and hold it against the sum of resistances."""
    wall = sb.effective_laminate(
        [
            (f"{thickness} m", {"value": f"{k} W/m/K", "std": "5 %", "name": name})
            for name, (thickness, k) in LAYERS.items()
        ],
        normal=(1, 0, 0),
    )
    thickness = sum(d for d, _ in LAYERS.values())
    across, along = wall.value[0, 0], wall.value[1, 1]
    resistance = sum(d / k for d, k in LAYERS.values())
    # Both forms are the same sum in another order: some roundings apart.
    np.testing.assert_allclose(across, thickness / resistance, rtol=1e-13)
    np.testing.assert_allclose(along, sum(d * k for d, k in LAYERS.values()) / thickness, rtol=1e-13)

    loss = 1.0 / (SURFACES + thickness / across)
    print(f"across {across:.5f} ± {wall.std[0, 0]:.5f}, along {along:.5f} W/m/K; U = {loss:.4f} W/m2/K")

    # How many percent the conductivity across changes for one percent of each layer; together 1 (Euler).
    shares = {
        name: float(k * wall.derivatives[f"layer {row}"][0, 0] / across)
        for row, (name, (_, k)) in enumerate(LAYERS.items())
    }
    np.testing.assert_allclose(sum(shares.values()), 1.0, rtol=1e-12)
    for name, share in shares.items():
        print(f"  {name:<13} {share:6.1%}")
    if not wall.passed:
        raise SystemExit("a check failed")


if __name__ == "__main__":
    main()
