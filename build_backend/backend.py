"""Builds the project's wheels, by setuptools, with Theano 1.0.5 in them and what mends it.

Theano's last release is a source archive whose setup.py asks Python's configparser for names that
Python 3.12 dropped: ``pip install Theano`` fails there. So a wheel of this project brings Theano along,
the same files for every Python. pip, or uv where uv is building, fetches the archive and checks its
digest, with the user's own settings (pip.conf, PIP_*, uv.toml, UV_*): index, proxy, cache, offline.
"""

import base64
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import (  # noqa: F401  a front-end calls them
    build_sdist,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

HERE = Path(__file__).parent


def _uv():
    """The program uv where it is building; it tells its children so."""
    return os.environ.get("UV")


def get_requires_for_build_wheel(config_settings=None):
    """What a front-end installs beside setuptools before it calls `build_wheel`."""
    return build_meta.get_requires_for_build_wheel(config_settings) + ([] if _uv() else ["pip>=23.1"])


get_requires_for_build_editable = get_requires_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Make the project's wheel."""
    name = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    _add_theano(Path(wheel_directory, name))
    return name


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Make the wheel of ``pip install -e``, whose modules of ours are those of the clone."""
    name = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    _add_theano(Path(wheel_directory, name))
    return name


def _install_theano(folder):
    """Have Theano fetched, checked, built and unpacked into a folder."""
    options = [
        "--no-deps",
        "--no-build-isolation",
        "--no-binary",
        "theano",
        "--require-hashes",
        "--target",
        str(folder),
        "-r",
        str(HERE / "theano.txt"),
    ]
    command = (
        [_uv(), "pip", "install", "--quiet", "--python", sys.executable]
        if _uv()
        else [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-user",
            "--no-compile",
            "--use-pep517",
        ]
    )
    # pip tells a back-end what it is by variables, which are not for this one's child.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PEP517_", "_PYPROJECT_HOOKS_"))}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE / "python_3_11"), env.get("PYTHONPATH")]))
    subprocess.run(command + options, check=True, env=env)


def _add_theano(path):
    """Add Theano's files to a wheel, and its metadata, by which pip knows that Theano is there."""
    with tempfile.TemporaryDirectory() as folder:
        _install_theano(folder)
        (info,) = Path(folder).glob("[Tt]heano-*.dist-info")
        files = {
            str(file.relative_to(folder)): file.read_bytes()
            for file in sorted(Path(folder, "theano").rglob("*"))
            if file.is_file() and file.suffix != ".pyc"
        }
        # A wheel has one .dist-info, its own; the older form beside it says what else is inside. Its
        # list of modules is empty: uv sync takes away what is not in its lock, by that list.
        egg_info = "Theano-{}.egg-info/".format(info.name[len("theano-") : -len(".dist-info")])
        files[egg_info + "PKG-INFO"] = (info / "METADATA").read_bytes()
        files[egg_info + "top_level.txt"] = b""
        for file in info.rglob("LICENSE*"):
            files[egg_info + file.name] = file.read_bytes()
    # `import lasagne` and `import theano` alone work then, whatever was imported before
    files["mnist_cnn_mends.pth"] = b"import mnist_cnn_mends\n"
    files["mnist_cnn_mends.py"] = (HERE.parent / "mnist_cnn" / "compat" / "site_hook.py").read_bytes()
    with zipfile.ZipFile(path) as wheel:
        contents = {name: wheel.read(name) for name in wheel.namelist()}
    (record,) = (name for name in contents if name.endswith(".dist-info/RECORD"))
    lines = contents.pop(record).decode().splitlines()
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append("{},sha256={},{}".format(name, digest, len(data)))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in {**files, **contents, record: "\n".join(lines + [""]).encode()}.items():
            wheel.writestr(name, data)
