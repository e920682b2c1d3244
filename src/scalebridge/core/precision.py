"""The package's one decision about precision: 64-bit numbers in JAX, and where compiled code is kept.

Importing this module switches JAX to 64-bit. That is the only side effect of an import in scalebridge, and
`import scalebridge` alone does not trigger it: the first use of a numerical part does. Every module that uses
JAX imports this one first.
"""

import jax

jax.config.update("jax_enable_x64", True)
