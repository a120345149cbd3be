from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent

setup(
    name="mnist_cnn",
    version="1.0.0",
    description="Handwritten digit recognition with a CNN, in Lasagne on Theano",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["mnist_cnn", "mnist_cnn.*"]),
    package_data={
        "mnist_cnn": ["mnist/*"],
        "mnist_cnn.fused": ["csrc/*/*.h"],
        "mnist_cnn.analysis.page": ["*.css", "*.js"],
        "mnist_cnn.explorer": ["*.html", "styles/*.css", "scripts/*.js"],
    },
    # Theano 1.0.5 does not build on Python 3.12: configparser.SafeConfigParser is gone.
    python_requires=">=3.8,<3.12",
    install_requires=[
        "Lasagne==0.1",
        "Theano==1.0.5",
        "numpy>=1.22,<1.24",  # Theano uses np.bool, which 1.24 dropped
        "scipy>=1.8,<1.11",
        "matplotlib>=3.5,<3.11",
        "pillow>=9.1",
        "pooch>=1.7",
        "requests>=2.28",
        "tqdm>=4.60",
    ],
    extras_require={
        "mkl": ["mkl"],
        "tsne": ["scikit-learn>=1.0"],
        "sweep": ["distributed>=2023.5", "tomli>=2; python_version < '3.11'"],
        "notebook": ["jupyterlab>=4", "ipywidgets>=8", "jupytext>=1.16"],
        "test": ["pytest>=7", "pytest-timeout>=2.1", "hypothesis>=6.80", "selenium>=4.11",
                 "nbclient>=0.10", "ipykernel>=6.29", "jupytext>=1.16"],
        # Sphinx 7.1 is the last for Python 3.8
        "docs": ["sphinx>=7.1,<7.2", "numpydoc>=1.7", "myst-parser>=3,<4", "furo>=2024.8",
                 "nbconvert>=7.16"],
    },
    classifiers=[
        "License :: OSI Approved :: MIT License",
        "Programming Language :: Python :: 3.8",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
    ],
)
