"""Files from the net: from several addresses in turn, resumed where they broke off, checked."""

import contextlib
import logging
import os
import sys
from pathlib import Path

from .errors import MnistCnnError

__all__ = ["fetch"]

MAX_BYTES = 2 ** 30  # more than any file of the catalogue holds


def fetch(folder, name, md5, base_urls, timeout=10, what=None):
    """Download a file into a folder.

    What has come of it when the connection breaks off stays in the folder as ``.NAME.part``, and
    the next call, or the next address, goes on from there.

    Parameters
    ----------
    folder : path-like
        An existing folder. The file takes its name there when it is whole and has the digest.
    name : str
        The file's, there and at each address.
    md5 : str
        The digest it was published with, as hexadecimal digits.
    base_urls : list of str
        Addresses to try in turn, each ending in a slash. One that fails goes to the list's end, so
        that the one that works is asked first from then on.
    timeout : float
        Seconds to wait for a server's next bytes.
    what : str, optional
        What to get elsewhere if no address gives it; by default the file.

    Raises
    ------
    MnistCnnError
        When the folder cannot be written or no address gave the file.

    Examples
    --------
    >>> from mnist_cnn.support.download import fetch
    >>> fetch(".", "digits.gz", "0" * 32, ["http://127.0.0.1:9/"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    mnist_cnn.support.errors.MnistCnnError: none of these gave digits.gz: ...
    """
    import pooch  # here, for they take a while to import and most starts download nothing
    import requests
    import urllib3

    def get(url):
        def download(url, output, _):
            _resume(url, part, output, timeout)

        with _alone(part):
            if not (Path(folder) / name).exists():  # another process may have fetched it meanwhile
                pooch.retrieve(url, "md5:" + md5, fname=name, path=folder, downloader=download)

    pooch.get_logger().setLevel(logging.WARNING)
    part = Path(folder) / ".{}.part".format(name)
    for base_url in list(base_urls):
        url = base_url + name
        print("Downloading {}".format(url), flush=True)
        goes_on = part.exists()
        try:
            try:
                get(url)
            except ValueError:  # pooch's word for a wrong digest
                if not goes_on:
                    raise
                get(url)  # the part was another file's; now from its beginning
            return
        except (requests.RequestException, urllib3.exceptions.HTTPError, MnistCnnError,
                ValueError) as error:
            print("  no: {}".format(_reason(error)))
            base_urls.append(base_urls.pop(0))
        except OSError as error:
            raise MnistCnnError("cannot write to {}: {}".format(
                folder, error.strerror or error)) from error
    raise MnistCnnError("none of these gave {}: {}; get {} elsewhere and put {} into {}".format(
        name, " ".join(base_urls), what or "that file (MD5 {})".format(md5),
        "them" if what else "it", folder))


@contextlib.contextmanager
def _alone(part):
    """Let one process at a time write a part; the others wait."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    while True:
        file = open(part, "ab")
        fcntl.flock(file, fcntl.LOCK_EX)
        if part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat()):
            break
        file.close()  # the one that wrote it is done with it, or has removed it
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if not part.stat().st_size:
                part.unlink()
        file.close()


def _resume(url, part, output, timeout):
    """Download the rest of a file into its part, which is then moved to `output`."""
    import requests
    from tqdm import tqdm

    there = part.stat().st_size if part.exists() else 0
    # "identity": a server must not pack once more what is packed already
    headers = {"Accept-Encoding": "identity"}
    if there:
        headers["Range"] = "bytes={}-".format(there)
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
        if response.status_code == 416:  # the part holds all there is, or more: judge it as it is
            os.replace(part, output)
            return
        response.raise_for_status()
        goes_on = response.status_code == 206 and response.headers.get(
            "Content-Range", "").startswith("bytes {}-".format(there))
        if not goes_on:
            there = 0
        length = response.headers.get("Content-Length", "")
        total = there + int(length) if length.isdigit() else None
        with open(part, "ab" if goes_on else "wb") as file, tqdm(
                total=total, initial=there, unit="B", unit_scale=True, leave=False,
                disable=None) as bar:  # None: off where nobody looks
            for block in response.raw.stream(2 ** 16, decode_content=False):
                if not there and block.startswith(b"<"):
                    raise MnistCnnError("a web page (HTML) came, perhaps a proxy's or a log-in's")
                there += len(block)
                if there > MAX_BYTES:
                    file.truncate(0)
                    raise MnistCnnError("more than {} bytes came".format(MAX_BYTES))
                file.write(block)
                bar.update(len(block))
    if total is not None and there < total:  # urllib3 before 2 takes that for the end
        raise requests.exceptions.ChunkedEncodingError("{} of {} bytes".format(there, total))
    os.replace(part, output)


def _reason(error):
    """A failed download in a few words."""
    import requests
    import urllib3

    if isinstance(error, requests.HTTPError):
        return "the server answers {} {}".format(error.response.status_code, error.response.reason)
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return "the server does not answer"
    if isinstance(error, (requests.exceptions.ChunkedEncodingError,
                          urllib3.exceptions.HTTPError)):
        return "the connection broke off; what came is kept, and the next try goes on from there"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    if isinstance(error, ValueError) and not isinstance(error, requests.RequestException):
        return "what came is truncated or another file (its digest differs)"
    return " ".join(str(error).split())
