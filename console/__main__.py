"""``python -m console`` is ``midwatch``."""

import sys

from console.launch import main

sys.exit(main())
