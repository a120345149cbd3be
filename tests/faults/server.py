"""Runs the scripts in forked children of a process that has imported all they import.

``python server.py`` reads a JSON line ``{"script", "args", "folder", "limit"}`` at a time and
answers with one: ``{"code", "out", "err", "stopped"}``. Its first line has all options of all
scripts, as their own parsers know them. A child that has not ended after `limit` seconds gets
SIGTERM.
"""

import argparse
import json
import os
import runpy
import signal
import socket
import sys
import time
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


class Found(BaseException):
    """Carries a parser out of the script that made it."""


def parser_of(script):
    """The parser of a script; all that the script imports is imported by then."""

    def parse_args(self, *args, **kwargs):
        raise Found(self)

    before, argparse.ArgumentParser.parse_args = argparse.ArgumentParser.parse_args, parse_args
    try:
        runpy.run_path(str(script), run_name="__main__")
    except Found as found:
        return found.args[0]
    finally:
        argparse.ArgumentParser.parse_args = before
    raise AssertionError("{} parses no arguments".format(script))


def describe(parser):
    """Each option's flag ('' for a positional one), its metavar, and whether it takes a value."""
    return [
        {
            "flag": action.option_strings[-1] if action.option_strings else "",
            "metavar": action.metavar,
            "value": action.nargs != 0,
            "number": action.type in (int, float),
            "needed": action.required and not action.option_strings,
        }
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction)
    ]


def at_home(connect):
    """A socket's connect that reaches this machine alone: no walk downloads anything."""

    def connect_(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "localhost", "::1"):
            raise ConnectionRefusedError("no network in this test")
        return connect(self, address)

    return connect_


def child(request):
    """What the script's own process would do."""
    os.setsid()
    os.chdir(request["folder"])
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(
            "../{}.{}".format(os.path.basename(request["folder"]), name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        )
        os.dup2(file, number)
    sys.argv = [str(SCRIPTS / request["script"])] + [
        arg.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape") for arg in request["args"]
    ]
    runpy.run_path(sys.argv[0], run_name="__main__")


def serve(request):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            child(request)
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(code)
    deadline, stopped = time.monotonic() + request["limit"], False
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL if stopped else signal.SIGTERM)
            deadline, stopped = time.monotonic() + 90, True
        time.sleep(0.01)
    folder = request["folder"]
    texts = [Path("{}.{}".format(folder, name)).read_text(errors="replace") for name in ("out", "err")]
    return {
        "code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status),
        "out": texts[0],
        "err": texts[1],
        "stopped": stopped,
    }


def main():
    sys.path.insert(0, str(SCRIPTS))
    options = {path.name: describe(parser_of(path)) for path in sorted(SCRIPTS.glob("[!_]*.py"))}
    socket.socket.connect = at_home(socket.socket.connect)
    print(json.dumps(options), flush=True)
    import theano

    theano.gof.cc.get_module_cache()  # read once, for all children
    for line in sys.stdin:
        print(json.dumps(serve(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
