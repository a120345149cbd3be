"""``python -m mnist_cnn COMMAND`` is ``mnist-cnn COMMAND``."""

import sys

from .commands import main

if __name__ == "__main__":
    sys.exit(main())
