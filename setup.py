"""The distribution `segpipe`. Its ranges admit both tested sets of pins, `constraints/tfx-*.txt`."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent
TOPS = ("pipeline", "components", "common", "registry", "serving", "segpipe_client", "schemas")


def version() -> str:
    """Read from the source: an import would need what is not installed yet."""
    source = (ROOT / "pipeline" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if not found:
        raise RuntimeError('pipeline/__init__.py has no line __version__ = "…"')
    return found.group(1)


def client_requirements() -> list[str]:
    """What `segpipe_client` needs, gRPC included: the lists of its own distribution."""
    folder = ROOT / "segpipe_client"
    files = (folder / "requirements.txt", folder / "requirements-grpc.txt")
    lines = [line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


REQUIREMENTS = [
    *client_requirements(),
    "aiohttp>=3.9,<4",
    "apache-beam>=2.74,<2.78",
    "click>=8.1,<9",
    "fsspec>=2024.2",
    "h5py>=3.10,<4",
    "imagecodecs>=2025.3",
    "jinja2>=3.1,<4",
    "keras-tuner>=1.4,<2",
    "kfp>=2.5,<3",
    "kfp-server-api>=2.0.5,<3",
    "kubernetes>=26.1,<36",
    "orjson>=3.9.7,<4",
    "prometheus-client>=0.20,<1",
    "pycocotools>=2.0.11,<3",
    "pydantic>=2.7,<3",
    "pyyaml>=6,<7",
    "rich>=13.7,<16",
    "scikit-learn>=1.5,<2",
    "scipy>=1.11,<2",
    "tensorboard>=2.16,<2.22",  # TensorFlow 2.21 no longer brings it, and the Keras callback needs it
    "tensorflow>=2.16,<2.22",
    "tensorflow-data-validation>=1.16,<1.22",
    "tensorflow-metadata>=1.16,<1.22",
    "tensorflow-model-analysis>=0.47,<0.53",
    "tensorflow-serving-api>=2.16,<2.22",
    "tensorflow-transform>=1.16,<1.22",
    "tf-keras>=2.16,<2.22",
    "tfx>=1.16,<1.22",
    "tifffile>=2025.5",
    "urllib3>=1.26,<3",
    # tfx-bsl and TensorFlow Transform 1.16 import dill and pkg_resources without saying so.
    "dill; python_version < '3.11'",
    "setuptools<81; python_version < '3.11'",
]

EXTRAS = {
    "geo": ["pyogrio>=0.12,<1", "rasterio>=1.4.4,<2"],
    "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.5,<10"],
    "gpu": ["tensorflow[and-cuda]"],
    "gcs": ["gcsfs>=2024.2"],
    "mlflow": ["mlflow-skinny>=3,<4"],
    "onnx": ["onnxruntime>=1.18,<2", "tf2onnx>=1.17,<2"],
    "s3": ["s3fs>=2024.2"],
    "tfds": ["tensorflow-datasets>=4.9,<5"],
    "test": [
        "hypothesis>=6.100",
        "kubernetes-validate>=1.34",
        "mypy>=1.10",
        "packaging",
        "pytest>=8.2",
        "pytest-xdist>=3.6",
        "ruff>=0.6",
        "types-PyYAML",
    ],
}

setup(
    name="segpipe",
    version=version(),
    description="From pictures and masks to a blessed, pushed and served segmentation model, on TFX.",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    package_dir={"": "."},
    packages=find_packages(include=[pattern for top in TOPS for pattern in (top, f"{top}.*")]),
    py_modules=["segpipe"],
    package_data={
        "pipeline": ["configs/*.yaml", "beam/server/*.sha256"],
        "pipeline.comparison": ["templates/*"],
        "pipeline.dashboard": ["templates/*", "static/*"],
        "pipeline.labelling": ["templates/*"],
        "pipeline.monitor": ["templates/*"],
        "components.pusher.card": ["templates/*"],
        "components.report": ["templates/*"],
        "schemas": ["*.pbtxt"],
        "segpipe_client": ["py.typed"],
        "serving": ["static/*"],
    },
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": ["segpipe = pipeline.cli.entry:main", "segpipe-step = pipeline.kubeflow.pod.entrypoint:main"]
    },
)
