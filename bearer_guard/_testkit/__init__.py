"""The parts of `bearer_guard.testing`: the line to a local issuer, and every way in which a token can be wrong."""
