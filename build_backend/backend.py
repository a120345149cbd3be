"""Builds the project's wheels by setuptools, and adds Theano 1.0.5 and the hook that mends it.

Theano's last release is a source archive whose setup.py needs names of configparser that Python 3.12
dropped: ``pip install Theano`` fails there. So a wheel of this project contains Theano, the same files for
every Python. pip, or uv where uv is building, fetches the archive and checks its digest, with the user's
own settings (pip.conf, PIP_*, uv.toml, UV_*): index, proxy, cache, offline.
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
    """The path of uv where it is building: it sets this variable for its children."""
    return os.environ.get("UV")


def get_requires_for_build_wheel(config_settings=None):
    """The packages that a front-end installs, besides setuptools, before it calls `build_wheel`."""
    return build_meta.get_requires_for_build_wheel(config_settings) + ([] if _uv() else ["pip>=23.1"])


get_requires_for_build_editable = get_requires_for_build_wheel


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Make the project's wheel."""
    name = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    _add_theano(Path(wheel_directory, name))
    return name


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Make the wheel of ``pip install -e``, which uses the clone's modules."""
    name = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    _add_theano(Path(wheel_directory, name))
    return name


def _install_theano(folder):
    """Fetch, check, build and unpack Theano into a folder."""
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
    # pip's variables for this back-end must not reach Theano's build
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PEP517_", "_PYPROJECT_HOOKS_"))}
    # this environment's folders by name: pip's own sitecustomize, which adds them, is hidden by ours
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(HERE / "python_3_11"), *sys.path]))
    subprocess.run(command + options, check=True, env=env)


def _add_theano(path):
    """Add Theano's files to a wheel, and its metadata, so that pip finds Theano installed."""
    with tempfile.TemporaryDirectory() as folder:
        _install_theano(folder)
        (info,) = Path(folder).glob("[Tt]heano-*.dist-info")
        files = {
            str(file.relative_to(folder)): file.read_bytes()
            for file in sorted(Path(folder, "theano").rglob("*"))
            if file.is_file() and file.suffix != ".pyc"
        }
        # A wheel has only one .dist-info, its own, so Theano's metadata takes the older form. Its list
        # of modules is empty, since uv sync would remove them, as Theano is not in its lock.
        egg_info = "Theano-{}.egg-info/".format(info.name[len("theano-") : -len(".dist-info")])
        files[egg_info + "PKG-INFO"] = (info / "METADATA").read_bytes()
        files[egg_info + "top_level.txt"] = b""
        for file in info.rglob("LICENSE*"):
            files[egg_info + file.name] = file.read_bytes()
    # so that `import lasagne` and `import theano` work without an import of this package
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
