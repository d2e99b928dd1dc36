"""``python -m postrmagic_core.cli``: the ``postrmagic`` command without its script."""

from . import main

main()
