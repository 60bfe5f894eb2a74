"""The command ``scones-unlimited``: the dashboard, from a checkout or from an installed wheel."""

import sys
from pathlib import Path

from streamlit.web import cli

APP = Path(__file__).with_name("app.py")


def main() -> None:
    """Run the dashboard; what follows the command are options of ``streamlit run``."""
    sys.argv = ["streamlit", "run", str(APP), *sys.argv[1:]]
    sys.exit(cli.main())
