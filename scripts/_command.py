"""What the scripts share: from the command line to a function of the package, and an exit code."""

import _signal  # in the interpreter itself, unlike signal: Ctrl-C is no traceback from here on

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import argparse  # noqa: E402
import importlib  # noqa: E402
import inspect  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message):
        self.exit(2, "{0}: error: {1}; see {0} --help\n".format(
            self.prog, " ".join(message.split())))


_HANGUP = [_signal.SIGHUP] if hasattr(_signal, "SIGHUP") else []  # of a terminal that is closed


class _Signals:
    """Ctrl-C, SIGTERM and SIGHUP while the package is imported, and while Python exits.

    Importing takes half a second, or half a minute where Theano compiles: what has begun is cleaned
    up. A library's bare ``except:`` may swallow the exception; `received` does not forget it, and the
    next import raises it again.
    """

    def __init__(self):
        self.received = []
        self.unraisable, sys.unraisablehook = sys.unraisablehook, self._say_unraisable

    def _set(self, handler):
        for signum in (_signal.SIGINT, _signal.SIGTERM, *_HANGUP):
            if _signal.getsignal(signum) != _signal.SIG_IGN:  # nohup and the like stay in force
                _signal.signal(signum, handler)

    def _interrupt(self, signum, frame):
        self.received.append(signum)
        sys.meta_path.insert(0, self)
        raise KeyboardInterrupt

    def find_spec(self, *args):
        """What Python calls for each import."""
        raise KeyboardInterrupt

    def _say_unraisable(self, unraisable):
        """Keep the traceback of a Ctrl-C that fell into a destructor, say, from stderr."""
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            self.unraisable(unraisable)

    def end_imports(self):
        self._set(self._interrupt)

    def await_the_end(self):
        """The first does not disturb the exit any more, the second ends it at once."""
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self]
        self._set(lambda signum, frame: _signal.signal(signum, _signal.SIG_DFL))


def add_data_options(parser, of_model=False):
    """Add --dataset and --data-dir; `of_model` where they are by default those of a model."""
    default = "that of the model" if of_model else "MNIST"
    parser.add_argument(
        "--dataset", metavar="NAME",
        help="a data set by name: mnist, fashion-mnist, kmnist, emnist-balanced and the other "
             "splits of EMNIST, cifar10; downloaded where it is missing (default: {})"
             .format(default))
    parser.add_argument(
        "--data-dir", metavar="DIR",
        help="folder with the data set's files, packed or not (default: for MNIST the copy in the "
             "package, else a folder in the user's cache)")


def run(module, description, add_arguments):
    """Call the `main` function of a module of the package with the command line's options.

    `add_arguments` adds them to a parser; their defaults are those of the function. Returns the
    exit code.
    """
    for number in range(3):  # a closed one's number would go to the next file that is opened
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    signals = _Signals()
    try:
        signals.end_imports()
        code = _run(module, description, add_arguments, signals)
        signals.await_the_end()
    except SystemExit as end:  # the parser's
        code = end.code
        signals.await_the_end()
    except KeyboardInterrupt:
        signals.await_the_end()
    if signals.received:
        print("interrupted", file=sys.stderr)
        return 128 + signals.received[0]
    return code


def _run(module, description, add_arguments, signals):
    try:
        main = importlib.import_module("mnist_cnn." + module).main
        errors = importlib.import_module("mnist_cnn.support.errors")
        compat = importlib.import_module("mnist_cnn.compat")
    except ImportError as error:
        hint = "; install with: pip install -e ." if error.name else ""
        print("error: {}{}".format(error, hint), file=sys.stderr)
        return 2
    if signals.received:
        raise KeyboardInterrupt
    parser = _Parser(description=description)
    add_arguments(parser)
    parser.set_defaults(**{
        name: parameter.default for name, parameter in inspect.signature(main).parameters.items()
        if parameter.default is not parameter.empty})
    options = vars(parser.parse_args())
    return errors.run(lambda: compat.with_settings_of_the_user(lambda: main(**options)))
