"""scalebridge: pass parameters and information between scales, with unit, uncertainty, derivative and proof."""
