"""Generic passages between scales: tangent, bounds, propagation. Knows `Model`, never a physics."""
