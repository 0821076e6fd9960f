"""`python -m bearer_guard` is the command `bearer-guard`."""

from .cli import main

raise SystemExit(main())
