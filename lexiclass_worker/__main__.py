"""``python -m lexiclass_worker``: what ``python -m dramatiq`` is, and logs as the settings say.

The Dramatiq master process loads neither actors nor broker; without this its own lines would be
the only ones in another format. The name matters: a ``__main__`` of a package is what the
sandbox's children do not run again.
"""

import sys

from dramatiq.cli import main

from lexiclass_worker.config import ConfigurationError, load_settings
from lexiclass_worker.core_dumps import forbid_core_dumps
from lexiclass_worker.preflight import require_all
from lexiclass_worker.telemetry.logs import configure_logging

if __name__ == "__main__":
    forbid_core_dumps()
    try:
        settings = load_settings()
        configure_logging(settings)
        # Dramatiq's master needs shared memory, and ends with a traceback where there is none.
        require_all(settings)
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)
    sys.exit(main())
