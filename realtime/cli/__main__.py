"""Run ``overheard`` as ``python -m realtime.cli``."""

import sys

from realtime.cli.main import main

sys.exit(main())
