import sys

from pennyworth.gateway.server import main

sys.exit(main())
