"""Preconditioned Krylov methods. Knows no physics and no grid."""
