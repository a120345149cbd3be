"""Pictures as ``scipy.misc`` and ``scipy.ndimage`` had them before SciPy 1.2, by Pillow; derivatives, before 1.12."""

import numpy as np
import scipy
from PIL import Image
from scipy.special import comb, factorial, factorial2, factorialk, logsumexp  # noqa: F401


def bytescale(data, cmin=None, cmax=None, high=255, low=0):
    """Scale numbers to bytes from `low` to `high`; bytes stay as they are."""
    if data.dtype == np.uint8:
        return data
    cmin, cmax = data.min() if cmin is None else cmin, data.max() if cmax is None else cmax
    scaled = (data - float(cmin)) * ((high - low) / ((float(cmax) - cmin) or 1.0)) + low
    return (scaled.clip(low, high) + 0.5).astype(np.uint8)


def toimage(arr, high=255, low=0, cmin=None, cmax=None, pal=None, mode=None, channel_axis=None):
    """Make a Pillow image of an array (rows, columns), or with three or four channels on some axis."""
    data = np.asarray(arr)
    if np.iscomplexobj(data):
        raise ValueError("Cannot convert a complex-valued array.")
    if data.ndim == 2:
        if mode in ("F", "I"):
            return Image.fromarray(data.astype(np.float32 if mode == "F" else np.int32))
        image = Image.fromarray(bytescale(data, cmin, cmax, high, low))
        if mode == "P":
            image.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3) if pal is None else np.ravel(pal))
        return image.convert("1") if mode == "1" else image
    if data.ndim != 3 or not {3, 4} & set(data.shape):
        raise ValueError("'arr' does not have a suitable array shape for any mode.")
    if channel_axis is None:
        channel_axis = data.shape.index(3 if 3 in data.shape else 4)
    image = Image.fromarray(np.ascontiguousarray(np.moveaxis(bytescale(data, cmin, cmax, high, low), channel_axis, -1)))
    return image if mode is None or mode == image.mode else image.convert(mode)


def fromimage(im, flatten=False, mode=None):
    """Return the array of a Pillow image; grey in float32 with `flatten`."""
    if mode is not None:
        im = im.convert(mode) if mode != im.mode else im
    elif im.mode == "P":
        im = im.convert("RGBA" if "transparency" in im.info else "RGB")
    if flatten:
        im = im.convert("F")
    elif im.mode == "1":
        im = im.convert("L")
    return np.array(im)


def imread(name, flatten=False, mode=None):
    """Read a picture file as an array."""
    with Image.open(name) as image:
        return fromimage(image, flatten, mode)


def imsave(name, arr, format=None):
    """Write an array as a picture file."""
    toimage(arr, channel_axis=2).save(name, format)


_INTERPOLATIONS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}


def imresize(arr, size, interp="bilinear", mode=None):
    """Resize an array to bytes: a whole number is a percentage, a float a factor, a pair the rows and columns."""
    image = toimage(arr, mode=mode)
    if np.ndim(size):
        columns, rows = size[1], size[0]
    else:
        factor = size / 100 if isinstance(size, (int, np.integer)) else size
        columns, rows = (int(length * factor) for length in image.size)
    return fromimage(image.resize((columns, rows), _INTERPOLATIONS[interp]))


def imrotate(arr, angle, interp="bilinear"):
    """Rotate an array counter-clockwise by degrees, to bytes."""
    return fromimage(toimage(arr).rotate(angle, resample=_INTERPOLATIONS[interp]))


def face(gray=False):
    """Return the picture of a raccoon, `scipy.datasets.face`, which is downloaded once."""
    return scipy.datasets.face(gray)


def ascent():
    """Return the picture of a staircase, `scipy.datasets.ascent`, which is downloaded once."""
    return scipy.datasets.ascent()


def lena():
    """Raise RuntimeError, as SciPy has done since 0.17: the picture's licence forbids to hand it on."""
    raise RuntimeError("lena() is no longer included in SciPy; scipy.misc.ascent() and face() are")


def central_diff_weights(Np, ndiv=1):
    """Return the weights of a derivative over `Np` equidistant points, an odd number, exact for polynomials."""
    if Np % 2 == 0 or Np < ndiv + 1:
        raise ValueError("the number of points must be odd, and at least the derivative's order + 1")
    powers = np.vander(np.arange(Np) - Np // 2, increasing=True)
    return factorial(ndiv) * np.linalg.inv(powers)[ndiv]


def derivative(func, x0, dx=1.0, n=1, args=(), order=3):
    """Return the n-th derivative of a function by central differences over `order` points."""
    weights = central_diff_weights(order, n)
    values = [func(x0 + (k - order // 2) * dx, *args) for k in range(order)]
    return sum(weight * value for weight, value in zip(weights, values)) / dx**n
