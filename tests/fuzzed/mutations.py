"""Damage to bytes, to numbers, to npy arrays and to the zip archives that hold them."""

import io
import struct
import warnings
import zipfile

import numpy as np

#: At the ends of what types hold, between whole numbers, and no number at all.
NUMBERS = (
    0,
    -0.0,
    1,
    -1,
    0.5,
    3.5,
    7,
    255,
    256,
    624,
    625,
    10**9,
    2**31 - 1,
    -(2**31),
    2**32,
    2**40,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
    1e-320,
    1e38,
    3.5e38,
    1e300,
    -1e300,
    float("nan"),
    float("inf"),
    float("-inf"),
)
LENGTHS = (0, 1, 2, 3, 5, 255, 256, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
DTYPES = tuple("?bBhHiIlLqQefdgFD") + ("S3", "U2", "V4", "M8[s]", "m8[s]", ">f4", ">f8", ">u4", "(2,)f4", "f4,i4")
DESCRIPTIONS = (
    b"'|O'",
    b"'<f4'",
    b"'>f8'",
    b"'<c16'",
    b"'<U9'",
    b"'|V0'",
    b"'<M8[s]'",
    b"''",
    b"[('a', '<f4')]",
    b"[('a', '|O')]",
    b"('<f4', (2,))",
    b"'<i9'",
    b"None",
    b"3",
    b"'" + b"f" * 300 + b"'",
    b"'f4, O'",
    b"'\\x00'",
    b"[" * 200,
    b"('O', {})",
)
SHAPES = (
    b"(-1,)",
    b"(0,)",
    b"()",
    b"(9223372036854775807,)",
    b"(3, 2, 1)",
    b"(1e3,)",
    b"('a',)",
    b"(1" + b"0" * 60 + b",)",
    b"((3,), 2)",
    b"[3, 2]",
    b"None",
    b"(True,)",
    b"(4294967296, 0)",
    b"(" * 150,
    b"(-3, -2)",
    b"(3,) * 9",
    b"{3: 2}",
)
NAMES = (
    "arr_0.npy",
    "../arr_0.npy",
    "arr_0",
    "",
    "arr_\x00.npy",
    "n" * 300,
    "\u0665.npy",
    "variable_0.npy",
    "settings.npy",
    "/etc/passwd",
)


def mutate_bytes(rng, content, others=()):
    """A few random changes: bytes, numbers at the ends of their range, cuts, repeats, splices."""
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(content) + 1)
        kind = rng.randrange(6)
        if kind == 0 and content:
            content[at % len(content)] = rng.randrange(256)
        elif kind == 1:
            content[at : at + 4] = rng.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\x80"))
        elif kind == 2:
            del content[at : at + rng.randrange(40)]
        elif kind == 3:
            content[at:at] = content[at : at + rng.randrange(40)]
        elif kind == 4:
            content[at:at] = (
                rng.randbytes(rng.randrange(6))
                if hasattr(rng, "randbytes")
                else bytes(rng.randrange(256) for _ in range(rng.randrange(6)))
            )
        elif others:
            other = rng.choice(others)
            content[at:] = other[rng.randrange(len(other) + 1) :]
    return bytes(content)


def mutate_array(rng, array):
    """Other numbers, another type, another shape or another order in memory."""
    kind = rng.randrange(8)
    if kind <= 3:
        array = array.astype(float) if rng.random() < 0.2 else array.copy()
        for _ in range(rng.choice((1, 1, 3))):
            if array.size:
                with np.errstate(all="ignore"):
                    array.flat[rng.randrange(array.size)] = _fitting(rng, array.dtype)
        return array
    if kind == 4:
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return array.astype(rng.choice(DTYPES))
        except (TypeError, ValueError):
            return array[None]
    if kind == 5:
        return rng.choice(
            (
                array[..., None],
                array[:0] if array.ndim else array[None],
                array.ravel(),
                array[::-1] if array.ndim else array,
                np.concatenate([array, array]) if array.ndim else array,
            )
        )
    if kind == 6:
        with np.errstate(all="ignore"):
            return np.full_like(array, _fitting(rng, array.dtype))
    return np.asfortranarray(array).astype(array.dtype.newbyteorder(rng.choice("<>")))


def _fitting(rng, dtype):
    """One of `NUMBERS`, wrapped around where the type cannot hold it."""
    number = rng.choice(NUMBERS)
    if dtype.kind in "fc":
        return number
    if number != number or abs(number) == float("inf"):
        number = 2**62
    bits = 8 * dtype.itemsize
    wrapped = int(number) % 2**bits
    return wrapped - 2**bits if dtype.kind == "i" and wrapped >= 2 ** (bits - 1) else wrapped


def npy(array):
    """An array as npy, pickled where it must be."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def mutate_npy(rng, content):
    """Another npy header over the same data, or other data under the same header."""
    length = 10 + struct.unpack("<H", content[8:10])[0]
    header, data = content[10:length], content[length:]
    kind = rng.randrange(6)
    if kind == 0:
        start = header.index(b"'descr': ") + 9
        end = header.index(b", 'fortran_order'")
        header = header[:start] + rng.choice(DESCRIPTIONS) + header[end:]
    elif kind == 1:
        start = header.index(b"'shape': ") + 9
        header = header[:start] + rng.choice(SHAPES) + b", }\n"
    elif kind == 2:
        header = header.replace(b"False", rng.choice((b"True", b"None", b"2", b"'x'", b"1 if 1 else 2")))
    elif kind == 3:
        header = mutate_bytes(rng, header)
    elif kind == 4:
        data = data[: rng.randrange(len(data) + 1)] + bytes(rng.choice((0, 1, 9, 5000)))
    claimed = len(header) if rng.random() < 0.9 else rng.choice(LENGTHS) % 65536
    version = b"\1\0" if rng.random() < 0.9 else rng.choice((b"\2\0", b"\3\0", b"\0\0", b"\xff\xff"))
    return b"\x93NUMPY" + version + struct.pack("<H", min(claimed, 65535)) + header + data


def archive(rng, members, mutate=True):
    """A zip archive of (name, content) pairs, mostly stored, as NumPy writes it."""
    members = list(members)
    if mutate and members and rng.random() < 0.15:
        at = rng.randrange(len(members))
        kind = rng.randrange(4)
        if kind == 0:
            del members[at]
        elif kind == 1:
            members.append(members[at])
        elif kind == 2:
            members[at] = (rng.choice(NAMES), members[at][1])
        else:
            members.append((rng.choice(NAMES), members[at][1]))
    how = zipfile.ZIP_STORED
    if mutate and rng.random() < 0.1:
        how = rng.choice((zipfile.ZIP_DEFLATED,) * 9 + (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as out:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = how
            # zipfile warns of a name that is there already
            out.NameToInfo.pop(name, None)
            out.writestr(info, content)
    content = file.getvalue()
    return mutate_zip(rng, content) if mutate and rng.random() < 0.15 else content


def mutate_zip(rng, content):
    """Other numbers in the fields of a zip archive's headers."""
    content = bytearray(content)
    mark, size = rng.choice(((b"PK\3\4", 30), (b"PK\1\2", 46), (b"PK\5\6", 22)))
    places, at = [], content.find(mark)
    while at >= 0:
        places.append(at)
        at = content.find(mark, at + 1)
    at = rng.choice(places)
    offset = rng.randrange(4, size - 1, 2)
    width = rng.choice("HI")
    number = struct.pack("<" + width, rng.choice(LENGTHS) % (65536 if width == "H" else 2**32))
    content[at + offset : at + offset + len(number)] = number
    return bytes(content)
