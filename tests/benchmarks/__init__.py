"""The speed tables: ratios in one interleaved run, never part of the tests."""
