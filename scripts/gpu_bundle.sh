#!/usr/bin/env bash
# For a GPU machine that has another Python, or no package registry: a CPython 3.11 with this
# package, Theano, Lasagne and Debian's pygpu, in one archive.
#
#   scripts/gpu_bundle.sh OUTDIR     on Debian 12; makes OUTDIR/mnist_cnn_gpu.tar.xz
#
# There: tar -xf mnist_cnn_gpu.tar.xz && mnist_cnn_gpu/check
# It needs g++ and a glibc no older than Debian 12's (2.36) or that of PYTHON's own machine.
# PYTHON names the CPython 3.11 to take (default: python3.11).
set -euo pipefail
repo=$(cd "$(dirname "$0")/.." && pwd)
out=$(mkdir -p "${1:?usage: gpu_bundle.sh OUTDIR}" && cd "$1" && pwd)
python=${PYTHON:-python3.11}
top=$out/mnist_cnn_gpu
rm -rf "$top" "$out/debs"
mkdir -p "$top"/{py/bin,py/include,py/lib,site,scripts} "$out/debs"

# CPython, without its tests and what draws windows
prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
cp -L "$prefix/bin/python3.11" "$top/py/bin/"
cp -r "$prefix/include/python3.11" "$top/py/include/"
tar -C "$prefix" -cf - --exclude=__pycache__ --exclude=site-packages --exclude=dist-packages \
    --exclude=test --exclude=tests --exclude=idlelib --exclude=tkinter --exclude=lib2to3 \
    --exclude=ensurepip --exclude='*.a' lib/python3.11 | tar -C "$top/py" -xf -
cp -a "$prefix"/lib/libpython3.11.so* "$top/py/lib/" 2>/dev/null || true  # none where it is static
# libraries of its modules that the other machine may have in another version
ldd "$top"/py/lib/python3.11/lib-dynload/*.so | awk '/=> \//{print $3}' | sort -u \
  | grep -E 'lib(ssl|crypto|ffi|bz2|lzma|z|expat)\.so' | xargs -r -I{} cp -L {} "$top/py/lib/"
find "$top/py" -name '*.so*' -type f -exec strip --strip-unneeded {} + 2>/dev/null || true

# Packages. Theano looks for headers and libraries beside the interpreter, hence py/.
# pygpu is made for NumPy 1.
"$python" -m pip install --quiet --disable-pip-version-check --target "$top/site" "$repo" 'numpy<2' mako
cp "$repo"/scripts/*.py "$top/scripts/"
(cd "$out/debs" && apt-get download -q python3-pygpu libgpuarray3 libgpuarray-dev)
for deb in "$out"/debs/*.deb; do dpkg -x "$deb" "$out/debs/root"; done
cp -r "$out/debs/root/usr/lib/python3/dist-packages/pygpu" "$top/site/"
cp -r "$out/debs/root/usr/include/gpuarray" "$top/py/include/"
find "$out/debs/root/usr/lib" -name 'libgpuarray.so*' -exec cp -a {} "$top/py/lib/" \;
find "$top" -name __pycache__ -prune -exec rm -rf {} +
find "$top"/site/{numpy,scipy} -type d -name tests -prune -exec rm -rf {} +  # Theano imports its own
rm -rf "$top"/site/pygpu/*.c

cat > "$top/python" <<'END'
#!/bin/sh
# The bundled Python: mnist_cnn_gpu/python scripts/train.py --device cuda
top=$(cd "$(dirname "$0")" && pwd)
# CUDA's libraries as pip installed them, with PyTorch for example, for the machine's own Python
wheels=$(python3 -c 'import glob, sys
print("".join(":" + d for p in sys.path if p for d in glob.glob(p + "/nvidia/*/lib")))' 2>/dev/null)
export LD_LIBRARY_PATH="$top/py/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}$wheels"
export PYTHONPATH="$top/site" PYTHONNOUSERSITE=1
exec "$top/py/bin/python3.11" "$@"
END
cat > "$top/check" <<'END'
#!/bin/sh
# The whole check, PyTorch's part by the machine's own python3; other options after it.
top=$(cd "$(dirname "$0")" && pwd)
exec "$top/python" "$top/scripts/check_device.py" --full --torch-python python3 "$@"
END
chmod +x "$top/python" "$top/check"
tar -C "$out" -cf - mnist_cnn_gpu | xz -T0 -6 > "$out/mnist_cnn_gpu.tar.xz"
ls -lh "$out/mnist_cnn_gpu.tar.xz"
