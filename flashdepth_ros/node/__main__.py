"""The executable `depth_node`: imports the node when Ctrl-C and errors are handled already."""

from __future__ import annotations

import os
import sys

from flashdepth_ros.entry_point import run_process
from flashdepth_ros.node.usage import usage, wants_usage


def main() -> int:
    """Run the depth node; return the exit status."""
    return run_process('depth_node', _run)


def _run() -> int:
    if wants_usage(sys.argv[1:]):
        sys.stdout.write(usage())
        return 0
    from flashdepth_ros.node.process import main
    from flashdepth_ros.ros.environment import log_environment

    os.environ.update(log_environment(os.environ))
    return main()


if __name__ == '__main__':
    sys.exit(main())
