"""``python -m voicegw`` is the ``voicegw`` command."""

import sys

from voicegw.cli import main

sys.exit(main())
