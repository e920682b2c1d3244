"""Running work: progress and executors. Knows no physics."""
