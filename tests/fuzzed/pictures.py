"""Hostile picture files."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw, features

from mnist_cnn.pictures import reading
from mnist_cnn.pictures.digits import MAX_DIGITS

from . import mutations

SIZES = (0, 1, 2, 3, 8, 255, 11585, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1)
#: Formats with the modes that they can be written in, and options to write them with.
FORMATS = {
    "PNG": (
        ("1", "L", "LA", "P", "RGB", "RGBA", "I;16", "I"),
        ({}, {"optimize": True}, {"bits": 2}, {"transparency": 0}, {"save_all": True}),
    ),
    "JPEG": (
        ("L", "RGB", "CMYK"),
        ({}, {"progressive": True}, {"quality": 5}, {"subsampling": 2, "restart_marker_blocks": 1}),
    ),
    "GIF": (("1", "L", "P", "RGB"), ({}, {"transparency": 0}, {"save_all": True}, {"interlace": 1, "save_all": True})),
    "BMP": (("1", "L", "P", "RGB", "RGBA"), ({},)),
    "TIFF": (
        ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr", "LAB"),
        (
            {},
            {"compression": "tiff_lzw"},
            {"compression": "tiff_deflate"},
            {"compression": "packbits"},
            {"compression": "jpeg"},
            {"compression": "group4"},
            {"big_tiff": True},
            {"save_all": True},
        ),
    ),
    "WEBP": (("L", "RGB", "RGBA"), ({}, {"lossless": True}, {"save_all": True})),
    "PPM": (("1", "L", "RGB", "I", "F"), ({},)),
}


def drawing(rng):
    """A small grey picture with strokes, or something that is no digit."""
    width, height = (rng.choice((1, 2, 3, 5, 12, 20, 28)) for _ in "ab")
    ground, ink = rng.choice(((255, 0), (0, 255), (200, 60), (9, 9), (128, 120)))
    picture = Image.new("L", (width, height), ground)
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.choice((0, 1, 1, 2, 6))):
        corners = [rng.randrange(-2, 30) for _ in range(4)]
        draw.line(corners, ink, rng.choice((1, 2, 4)))
    if rng.random() < 0.1:
        noise = np.random.RandomState(rng.randrange(2**32)).randint(0, 256, (height, width))
        picture = Image.fromarray(np.uint8(noise))
    return picture


def encoded(rng, format):
    """The drawing as a file of that format, or None where Pillow does not write it so."""
    modes, options = FORMATS[format]
    mode, option = rng.choice(modes), dict(rng.choice(options))
    grey = drawing(rng)
    if mode in ("I", "I;16", "F"):
        values = np.asarray(grey, float) * rng.choice((1, 257, 1 / 255, 1e30))
        if mode == "F":
            values = values.astype("f")
            if rng.random() < 0.2:
                values.flat[0] = rng.choice((np.nan, np.inf, -np.inf, 3e38))
        else:
            values = (
                np.uint16(values.clip(0, 65535)) if mode == "I;16" else np.int32(values.clip(-(2**31), 2**31 - 129))
            )
        picture = Image.fromarray(values)
    else:
        picture = grey.convert("RGB").convert(mode) if mode in ("P", "YCbCr", "LAB") else grey.convert(mode)
        if mode in ("LA", "RGBA"):
            picture.putalpha(grey.point(rng.choice((lambda v: v, lambda v: 255 - v, lambda v: 0))))
    if option.get("save_all"):
        option["append_images"] = [picture] * rng.choice((1, 5))
    if rng.random() < 0.3 and format in ("PNG", "JPEG", "WEBP", "TIFF"):
        exif = picture.getexif()
        exif[0x0112] = rng.choice((1, 2, 3, 5, 6, 7, 8, 0, 9, 65535))
        option["exif"] = exif if rng.random() < 0.7 else mutations.mutate_bytes(rng, exif.tobytes())
    file = io.BytesIO()
    try:
        picture.save(file, format, **option)
    except Exception:  # each writer has its own word for a mode, an option or EXIF it cannot take
        return None
    return file.getvalue()


def mutate_png(rng, content):
    """Chunks with other contents, twice, gone or in another order, their checksums right."""
    chunks, at = [], 8
    while at + 8 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        chunks.append([content[at + 4 : at + 8], content[at + 8 : at + 8 + length]])
        at += 12 + length
    k = rng.randrange(len(chunks))
    kind = rng.randrange(7)
    if kind == 0 and len(chunks[0][1]) == 13:
        header = list(struct.unpack(">IIBBBBB", chunks[0][1]))
        field = rng.randrange(7)
        header[field] = rng.choice(SIZES if field < 2 else (0, 1, 2, 3, 4, 6, 8, 16, 255))
        chunks[0][1] = struct.pack(">IIBBBBB", *header)
    elif kind == 1:
        chunks[k][1] = mutations.mutate_bytes(rng, chunks[k][1])
    elif kind == 2:
        del chunks[k]
    elif kind == 3:
        chunks.insert(rng.randrange(len(chunks) + 1), chunks[k])
    elif kind == 4:
        chunks.insert(
            1,
            [
                rng.choice(
                    (
                        b"tRNS",
                        b"PLTE",
                        b"gAMA",
                        b"acTL",
                        b"fcTL",
                        b"fdAT",
                        b"eXIf",
                        b"iCCP",
                        b"zTXt",
                        b"iTXt",
                        b"pHYs",
                        b"cHRM",
                        b"sRGB",
                        b"\0\0\0\0",
                    )
                ),
                mutations.mutate_bytes(rng, bytes(rng.choice((0, 1, 3, 26, 300)))),
            ],
        )
    elif kind == 5:  # more or fewer rows than the header says
        for chunk in chunks:
            if chunk[0] == b"IDAT":
                chunk[1] = zlib.compress(bytes(rng.choice((0, 1, 100, 10**5))), 1)
    else:
        chunks.insert(1, [b"zTXt", b"key\0\0" + zlib.compress(bytes(rng.choice((9, 2**21))), 1)])
    return content[:8] + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def mutate_numbers(rng, content):
    """A number of the first bytes, where most formats have a header, at the end of its range."""
    at = rng.randrange(min(len(content), 120) + 1)
    width, order = rng.choice("HI"), rng.choice("<>")
    number = rng.choice(SIZES) % (65536 if width == "H" else 2**32)
    new = struct.pack(order + width, number)
    return content[:at] + new + content[at + len(new) :]


class Pictures:
    """`read_digits`: digits as MNIST's are."""

    def __init__(self, path):
        import random

        rng = random.Random(0)
        self.path = path
        self.formats = [name for name in FORMATS if name != "WEBP" or features.check("webp")]
        self.seeds = [
            content for name in self.formats for _ in range(25) for content in [encoded(rng, name)] if content
        ]

    def make(self, rng):
        content = None
        if rng.random() < 0.4:
            content = encoded(rng, rng.choice(self.formats))
        content = content or rng.choice(self.seeds)
        kind = rng.randrange(5)
        if kind == 0:
            return mutations.mutate_bytes(rng, content, self.seeds)
        if kind == 1:
            return mutate_numbers(rng, content)
        if kind == 2 and content.startswith(b"\x89PNG"):
            return mutate_png(rng, content)
        if kind == 3:  # a few bytes behind the header, so that more of the decoder is met
            content = bytearray(content)
            for _ in range(rng.choice((1, 2, 5))):
                content[rng.randrange(len(content) // 3, len(content))] = rng.randrange(256)
            return bytes(content)
        return content

    def read(self, content):
        digits = reading.read_digits(self.path, single=len(content) % 2 == 0).images
        assert digits.dtype == np.float32 and digits.shape[1:] == (1, 28, 28), digits.shape
        assert 1 <= len(digits) <= MAX_DIGITS
        bytes_ = digits * 256
        assert (bytes_ == np.floor(bytes_)).all() and bytes_.min() == 0
        assert (bytes_.max(axis=(1, 2, 3)) == 255).all()
