"""``theano.compat.python2x`` and ``theano.gof.python25``: what Python 2.4 to 2.6 lacked."""

from builtins import all, any  # noqa: F401
from collections import Counter, OrderedDict, defaultdict, deque  # noqa: F401
from collections.abc import Callable, MutableMapping as DictMixin  # noqa: F401
from functools import partial  # noqa: F401
from itertools import combinations, product  # noqa: F401
from sys import maxsize  # noqa: F401
