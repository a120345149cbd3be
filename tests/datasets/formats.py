"""Files in the exact formats of the published data sets, made of random images."""

import io
import struct
import tarfile

import numpy as np

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def batches(rows=5, seed=0, batches=6):
    """Images and labels of CIFAR-10's shape, a pair a batch."""
    rng = np.random.RandomState(seed)
    return [
        (rng.randint(0, 256, (rows, 3, 32, 32)).astype(np.uint8), rng.randint(0, 10, rows).astype(np.uint8))
        for _ in range(batches)
    ]


def binary_files(pairs, names=NAMES):
    """The binary version: from each file's name to its content."""
    files = {
        ("data_batch_{}.bin".format(i) if i < len(pairs) else "test_batch.bin"): b"".join(
            bytes([label]) + image.tobytes() for image, label in zip(*pair)
        )
        for i, pair in enumerate(pairs, 1)
    }
    files["batches.meta.txt"] = "".join(name + "\n" for name in names).encode() + b"\n"
    return files


def _text(text):
    """SHORT_BINSTRING: how Python 2's cPickle wrote a str."""
    return b"U" + bytes([len(text)]) + text


def _number(number):
    return b"K" + bytes([number]) if number < 256 else b"M" + struct.pack("<H", number)


def batch_pickle(images, labels, title=b"training batch 1 of 5"):
    """The bytes that Python 2's cPickle, protocol 2, wrote for a batch, opcode by opcode."""
    rows = len(images)
    return b"".join(
        [
            b"\x80\x02}q\x01(",
            _text(b"batch_label"),
            b"q\x02",
            _text(title),
            b"q\x03",
            _text(b"labels"),
            b"q\x04]q\x05(",
            *(_number(int(label)) for label in labels),
            b"e",
            _text(b"data"),
            b"q\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08",
            b"K\x00\x85",
            _text(b"b"),
            b"\x87Rq\x09(K\x01",
            _number(rows),
            _number(3072),
            b"\x86cnumpy\ndtype\nq\x0a",
            _text(b"u1"),
            b"K\x00K\x01\x87Rq\x0b(K\x03",
            _text(b"|"),
            b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T",
            struct.pack("<I", rows * 3072),
            images.tobytes(),
            b"tb",
            _text(b"filenames"),
            b"q\x0c]q\x0d(",
            *(_text(b"leptodactylus_pentadactylus_s_%06d.png" % i) for i in range(rows)),
            b"eu.",
        ]
    )


def meta_pickle(names=NAMES):
    """The bytes of batches.meta of the python version."""
    return b"".join(
        [
            b"\x80\x02}q\x01(",
            _text(b"num_cases_per_batch"),
            b"M\x10'",
            _text(b"label_names"),
            b"](",
            *(_text(name.encode()) for name in names),
            b"e",
            _text(b"num_vis"),
            b"M\x00\x0cu.",
        ]
    )


def python_files(pairs, names=NAMES):
    """The python version: from each file's name to its content."""
    files = {
        "data_batch_{}".format(i) if i < len(pairs) else "test_batch": batch_pickle(*pair)
        for i, pair in enumerate(pairs, 1)
    }
    files["batches.meta"] = meta_pickle(names)
    return files


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def tar_gz(files, prefix="cifar-10-batches-py/", extra=()):
    """A tar.gz archive of files, and of TarInfo objects (with their content) besides."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info, content in extra:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()
