#!/usr/bin/env python
"""The command ``mnist-cnn explore``."""

import os
import sys

sys.path.append(os.path.dirname(os.path.abspath(__file__)))  # python -I leaves it out

from _launch import launch

if __name__ == "__main__":
    launch("explore")
