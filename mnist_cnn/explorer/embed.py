"""Compressed arrays in an HTML page."""

import base64
import zlib

import numpy as np

__all__ = ["pack", "pack_images", "pack_pixels"]


def pack(array: np.ndarray) -> str:
    """Encode an array as text.

    Its bytes, little-endian, are put in order of significance (first the lowest byte of each
    number, then the next), so that the exponents of floats lie together; then compressed with
    zlib, and written in base 85, a quarter longer than the bytes. The page's ``page/embedded.js``
    undoes it.

    Parameters
    ----------
    array : array
        Of any shape and numeric type.

    Returns
    -------
    str
        ASCII without ``<``, valid in a script element.

    Examples
    --------
    >>> import base64, zlib
    >>> import numpy as np
    >>> from mnist_cnn.explorer.embed import pack
    >>> text = pack(np.uint16([1, 2, 3]))
    >>> zlib.decompress(base64.b85decode(text.replace(",", "<"))).hex()  # low bytes, high bytes
    '010203000000'
    """
    array = np.ascontiguousarray(array)
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    planes = array.reshape(-1, 1).view(np.uint8).T
    text = base64.b85encode(zlib.compress(planes.tobytes(), 9)).decode("ascii")
    return text.replace("<", ",")  # base 85 has no comma


def pack_images(images: np.ndarray) -> tuple[str, str]:
    """Encode pictures of ink on paper as two texts.

    Most of their bytes are 0: the places of ink take one bit a pixel, and the amounts of ink one byte
    for each pixel with ink.

    Parameters
    ----------
    images : uint8 array
        (n, ..., rows, columns).

    Returns
    -------
    places, levels : str
        As `pack` returns them.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.explorer.embed import pack, pack_images
    >>> places, levels = pack_images(np.uint8([[[0, 9], [0, 0], [7, 0], [0, 0]]]))
    >>> places == pack(np.uint8([0b01001000])), levels == pack(np.uint8([9, 7]))
    (True, True)
    """
    flat = images.reshape(len(images), -1)
    return pack(np.packbits(flat > 0, axis=1)), pack(flat[flat > 0])


def pack_pixels(images: np.ndarray) -> str:
    """Encode pictures without much paper, such as photographs, as a text.

    A pixel is mostly like its left neighbour, so the differences compress better.

    Parameters
    ----------
    images : uint8 array
        (n, channels, rows, columns).

    Returns
    -------
    str
        As `pack` returns it: in each row the first byte, then the differences of neighbours modulo
        256.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_cnn.explorer.embed import pack, pack_pixels
    >>> pack_pixels(np.uint8([[[[9, 11, 10]]]])) == pack(np.uint8([9, 2, 255]))
    True
    """
    differences = images.copy()
    differences[..., 1:] -= images[..., :-1]
    return pack(differences)
