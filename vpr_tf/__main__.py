"""`python -m vpr_tf` is `vpr`."""

import sys

from vpr_tf.cli import main

if __name__ == "__main__":
    sys.exit(main())
