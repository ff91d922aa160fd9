import sys

from pennyworth.iam.bootstrap_template.template import main

sys.exit(main())
