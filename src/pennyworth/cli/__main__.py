import sys

from pennyworth.cli import main

sys.exit(main())
