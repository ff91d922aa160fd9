"""Build the function's package into a folder. `sam build` runs this through `make`.

    python3 -m pennyworth.pipeline.build FOLDER

PENNYWORTH_TARGET_PYTHON, PENNYWORTH_TARGET_ARCHITECTURE and PENNYWORTH_TARGET_SYSTEM set the target (default: that of
the template). PENNYWORTH_CONFIG is a LiteLLM config file to include. PENNYWORTH_LITELLM says whether to include LiteLLM
(auto, yes or no).
"""

import os
import sys
from pathlib import Path

from pennyworth.host.environments import EnvironmentUnavailable
from pennyworth.host.processes import raise_on_signals
from pennyworth.pipeline.build.build import Choice, build
from pennyworth.pipeline.build.configuration import read_configuration
from pennyworth.pipeline.build.target import Target
from pennyworth.pipeline.build.tools import BuildFailed


def main() -> int:
    """Build with the settings of the environment."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    raise_on_signals()
    environ = os.environ
    try:
        config = environ.get("PENNYWORTH_CONFIG")
        choice = Choice(environ.get("PENNYWORTH_LITELLM") or "auto")
        settings = read_configuration(
            Path(config) if config else None, environ.get("LITELLM_MODEL_PROVIDER", "")
        )
        build(Path(sys.argv[1]), Target.from_environ(environ), settings, choice)
    except (BuildFailed, EnvironmentUnavailable, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
