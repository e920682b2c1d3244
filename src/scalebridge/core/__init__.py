"""Vocabulary: specs, models, transfers, estimates, results. Knows no physics and no files' formats."""
