"""Downloads: several addresses in turn, interrupted downloads resumed, digests checked."""

import contextlib
import logging
import os
import re
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from ..system.errors import MnistCnnError, printable
from .atomic import lock, open_part

__all__ = ["fetch"]

MAX_BYTES = 2**30  # more than any file of the catalogue holds
MAX_REDIRECTS = 5
BLOCK = 2**13  # bytes that must arrive within `PATIENCE` timeouts
PATIENCE = 6  # timeouts
LEAST_RATE = 10**4  # bytes a second, for a whole download

#: From the MD5 of a published file to its SHA-256, because an MD5 can be forged. Sources: TensorFlow
#: Datasets (tensorflow_datasets/url_checksums), for CIFAR-10 Keras (keras/src/datasets/cifar10.py).
SHA256 = {
    "f68b3c2dcbeaaa9fbdd348bbdeb94873": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "d53e105ee54ea40749a09fcbcd1e9432": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "9fb629c4189551a2d022fa330f9573f3": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "ec29112dd5afa0611ce80d1b7f02629c": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "25c81989df183df01b3e8a0aad5dffbe": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "bef4ecab320f06d8554ea6380940ec79": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "bb300cfdad3c16e7a12a480ee83cd310": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    "bdb82020997e1d708af4cf47b453dcf7": "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
    "e144d726b3acfaa3e44228e80efcd344": "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
    "5c965bf0a639b31b8f53240b1b52f4d7": "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
    "7320c461ea6c1c855c0b718fb2a4b134": "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
    "58c8d27c78d21e728a6bc7b3cc06412e": "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
    "c58f30108f718f92721af3b95e74349a": "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
}


def fetch(
    folder: Path | str, name: str, md5: str, base_urls: list[str], timeout: float = 10, what: str | None = None
) -> None:
    """Download a file into a folder.

    When the connection is lost, the part received stays in the folder as ``.NAME.part``, and the next
    address or the next call resumes from it.

    Parameters
    ----------
    folder : path-like
        An existing folder. The file gets its name there when it is whole and its digest is right.
    name : str
        The file's name, in the folder and at each address.
    md5 : str
        The published digest, as hexadecimal digits. Where `SHA256` knows it, the SHA-256 is checked.
    base_urls : list of str
        Addresses to try in turn, each ending in a slash, https before http. An address that fails is
        moved to the end of this list, so that the next file tries the working address first.
    timeout : float
        Seconds to wait for a server's next bytes. Every six timeouts 8 kB must arrive, and the whole
        file at 10 kB a second.
    what : str, optional
        The error message's name for what the user should get elsewhere; by default the file.

    Raises
    ------
    MnistCnnError
        When the folder cannot be written or every address fails.
    """
    import pooch  # here, because they are slow to import and rarely needed
    import requests
    import urllib3

    def get(url):
        def download(url, output, _):
            _resume(url, part, file, output, timeout)

        with _alone(part) as file:
            if not (Path(folder) / name).exists():  # another process may have downloaded it
                pooch.retrieve(url, digest, fname=name, path=folder, downloader=download)

    pooch.get_logger().setLevel(logging.WARNING)
    part = Path(folder) / ".{}.part".format(name)
    digest = "sha256:" + SHA256[md5] if md5 in SHA256 else "md5:" + md5
    # http comes last: others on the network can read and interrupt it
    for base_url in sorted(base_urls, key=lambda url: not url.startswith("https:")):
        url = base_url + name
        print("Downloading {}".format(url), flush=True)
        goes_on = part.exists()
        try:
            try:
                get(url)
            except ValueError as error:  # pooch raises it for a wrong digest
                if not goes_on or isinstance(error, requests.RequestException):
                    raise
                get(url)  # the part belonged to another file: start again
            return
        except (requests.RequestException, urllib3.exceptions.HTTPError, MnistCnnError, ValueError) as error:
            print("  no: {}".format(_reason(error)))
            base_urls.remove(base_url)
            base_urls.append(base_url)
        except OSError as error:
            raise MnistCnnError("cannot write to {}: {}".format(folder, error.strerror or error)) from error
    raise MnistCnnError(
        "cannot download {}: tried {}; get {} elsewhere and put {} into {}".format(
            name, " ".join(base_urls), what or "that file (MD5 {})".format(md5), "them" if what else "it", folder
        )
    )


@contextlib.contextmanager
def _alone(part):
    """Open and lock a part; other processes wait for it."""
    while True:
        file = open_part(part)
        lock(file.fileno())
        if os.name == "nt" or part.exists() and os.path.samestat(os.fstat(file.fileno()), part.stat()):
            break
        file.close()  # another process has finished or removed this part
    try:
        yield file
    finally:
        with contextlib.suppress(OSError):
            file.flush()
            if not part.stat().st_size:
                part.unlink()
        file.close()


class _Watch:
    """Closes the connections of a download that is too slow.

    A socket's timeout limits only the wait for the next byte. A server that sends a byte a second, even
    within a redirect's headers, could hold this process, and others that wait for the lock, forever.
    """

    def __init__(self, timeout):
        self.patience, self.too_slow = PATIENCE * timeout, False
        self.next, self.last = time.monotonic() + self.patience, float("inf")
        self.sockets, self.done = [], threading.Event()
        self.thread = threading.Thread(target=self._wait, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, error, traceback):
        self.done.set()
        self.thread.join()
        if self.too_slow and (error is None or isinstance(error, Exception)):  # perhaps caused by the shutdown
            raise MnistCnnError(
                "the server is too slow; the part received is kept, and the next try resumes from it"
            ) from error

    def expect(self, size):
        """Set the deadline of a download of `size` bytes."""
        self.last = time.monotonic() + self.patience + size / LEAST_RATE

    def block_came(self):
        """Set the deadline of the next block."""
        self.next = time.monotonic() + self.patience

    def _wait(self):
        while not self.done.wait(0.05):
            if time.monotonic() > min(self.next, self.last):
                self.too_slow = True
                for connection in self.sockets:
                    with contextlib.suppress(OSError):
                        # the method of ssl is not thread-safe
                        socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def session(self):
        """Make a session that registers its connections here and follows no redirect."""
        import requests

        sockets = self.sockets

        def watched(manager):
            for scheme, pool in list(manager.pool_classes_by_scheme.items()):

                class Connection(pool.ConnectionCls):
                    def connect(self):
                        super().connect()
                        sockets.append(self.sock)

                manager.pool_classes_by_scheme = dict(
                    manager.pool_classes_by_scheme,
                    **{scheme: type(pool.__name__, (pool,), {"ConnectionCls": Connection})},
                )
            return manager

        class Adapter(requests.adapters.HTTPAdapter):
            def init_poolmanager(self, *args, **kwargs):
                super().init_poolmanager(*args, **kwargs)
                watched(self.poolmanager)

            def proxy_manager_for(self, proxy, **kwargs):
                there = proxy in self.proxy_manager
                manager = super().proxy_manager_for(proxy, **kwargs)
                return manager if there else watched(manager)

        class Session(requests.Session):
            def get_redirect_target(self, response):
                # requests would read and unpack the whole body of a redirect
                return None

        session = Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, Adapter())
        return session


def _open(session, url, headers, timeout):
    """Request a file and follow redirects; return the response."""
    for _ in range(MAX_REDIRECTS + 1):
        response = session.get(url, headers=headers, stream=True, timeout=timeout)
        if not response.is_redirect:
            return response
        response.close()
        try:
            url = urljoin(url, response.headers["Location"])
            good = urlsplit(url).scheme in ("http", "https") and urlsplit(url).hostname
        except ValueError:
            good = False
        if not good:
            raise MnistCnnError(
                "the server redirects to an invalid address: {:.100}".format(response.headers["Location"])
            )
    raise MnistCnnError("the server redirects more than {} times".format(MAX_REDIRECTS))


def _blocks(raw):
    """Yield a response's bytes as they arrive."""
    if not hasattr(raw, "read1"):  # urllib3 before 2
        yield from raw.stream(BLOCK, decode_content=False)
        return
    # stream() of urllib3 2 drops the last, incomplete block of a lost connection
    block = raw.read1(BLOCK, decode_content=False)
    while block:
        yield block
        block = raw.read1(BLOCK, decode_content=False)


def _resume(url, part, file, output, timeout):
    """Download the rest of a file into its part, then move the part to `output`."""
    import requests
    from tqdm import tqdm

    there = file.seek(0, os.SEEK_END)
    # "identity": the server must not compress the file again
    headers = {"Accept-Encoding": "identity"}
    if there:
        headers["Range"] = "bytes={}-".format(there)
    total = None
    with _Watch(timeout) as watch, watch.session() as session, _open(session, url, headers, timeout) as response:
        if response.status_code != 416:  # 416: the part has all bytes or more; its digest decides
            response.raise_for_status()
            if response.status_code not in (200, 206):
                raise MnistCnnError("the server answers {}, without a file".format(response.status_code))
            if not (
                response.status_code == 206
                and response.headers.get("Content-Range", "").startswith("bytes {}-".format(there))
            ):
                there = file.seek(0)
                file.truncate()
            length = response.headers.get("Content-Length", "")
            total = there + int(length) if length.isascii() and length.isdigit() else None
            watch.expect(min(total or MAX_BYTES, MAX_BYTES) - there)
            with tqdm(
                total=total, initial=there, unit="B", unit_scale=True, leave=False, disable=None
            ) as bar:  # None: off in a pipe
                for block in _blocks(response.raw):
                    if not there and block.startswith(b"<"):
                        raise MnistCnnError("the server sent a web page (HTML), perhaps from a proxy or a log-in page")
                    there += len(block)
                    if there > MAX_BYTES:
                        file.truncate(0)
                        raise MnistCnnError("the server sent more than {} bytes".format(MAX_BYTES))
                    file.write(block)
                    watch.block_came()
                    bar.update(len(block))
    if total is not None and there < total:  # urllib3 before 2 does not report this
        raise requests.exceptions.ChunkedEncodingError("{} of {} bytes".format(there, total))
    file.flush()
    if os.name == "nt":  # where open files cannot be renamed
        file.close()
    os.replace(part, output)


def _reason(error):
    """Describe a failed download in a few words."""
    import requests
    import urllib3

    if isinstance(error, requests.HTTPError):
        return "the server answers {} {:.100}".format(error.response.status_code, printable(str(error.response.reason)))
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return "the server does not answer"
    if isinstance(error, (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError)) and not isinstance(
        error, ValueError
    ):
        return "the connection was lost; the part received is kept, and the next try resumes from it"
    if isinstance(error, requests.exceptions.SSLError):
        return (
            "the server's TLS certificate is not trusted ({}); if your network uses its own authority, "
            "name its certificate file: REQUESTS_CA_BUNDLE=FILE".format(_of_certificate(error))
        )
    if isinstance(error, requests.ConnectionError):
        return "no connection to the server"
    if isinstance(error, ValueError) and not isinstance(
        error, (requests.RequestException, urllib3.exceptions.HTTPError)
    ):
        return "the file received is truncated or another file (its digest differs)"
    return printable(" ".join(str(error).split())[:200])


def _of_certificate(error):
    """OpenSSL's reason for refusing a certificate, such as 'self-signed certificate'."""
    found = re.search(r"verify failed: ([^(']+?)\.? *[(']", str(error))
    return printable(found.group(1)) if found else "TLS failed"
