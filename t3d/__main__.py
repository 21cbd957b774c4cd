"""`python -m t3d`, the same as the `t3d` script."""

from t3d.cli import main

main()
