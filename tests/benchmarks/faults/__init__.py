"""`python -m tests.benchmarks.faults`: bearer_guard and its peers through the same faults of one hostile provider.

Writes docs/fault-comparison.md. Peers are not among the dependencies of this project, so make an environment for them:

    python -m venv peers && peers/bin/python -m pip install -r tests/benchmarks/faults/requirements.txt
    peers/bin/python -m pip install -e .

and name its interpreter: `python -m tests.benchmarks.faults --python peers/bin/python`. The second command is one of
its own because pyjwt-key-fetcher asks for cachetools below 6 and bearer_guard for a later one, which pip refuses to
install together: so the later one comes last, pip warns, and pyjwt-key-fetcher works with it. Where the versions that
two peers ask for exclude each other for good, make several environments and repeat `--python`: each contender runs in
the first one that has it, and the interpreter that runs the program comes last. So bearer_guard runs in the same Python
as the peers, or without the second command in the one that runs the program. A peer that no interpreter has is listed
with the reason. Nothing else is needed: no network beyond 127.0.0.1, and 11 minutes on two cores; a busy machine takes
longer, and spoils the latencies. `--only NAME` (repeated) measures some of them, `--rounds N` fewer or more rounds,
`--to FILE` writes elsewhere.

Who does what: `provider` misbehaves in its `behaviours`, in this process; `worker` is a `process` of one contender, so
that a hang or a crash is a result and nothing else; `contenders` has one module for each library, set up as its
documentation says; `scenarios` says what happens to each, on a `stage`; `run` plays them all; `rows` says what is good
and bad in the `tables` of the page that `report` makes. Not part of the tests, but for tests/test_benchmarks_faults.py,
which runs some scenarios for bearer_guard so that the program cannot rot.
"""
