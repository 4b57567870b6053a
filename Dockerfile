# The image of every step, and of the command: `make image`, or `make image GPU=1` with CUDA's libraries.
# No feature of BuildKit is used, so that Docker's older builder, Podman and Kaniko build it alike.

FROM debian:trixie-slim AS python
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* /var/log/*

# ---- packages and byte code ------------------------------------------------------------------------------------------
FROM python AS build
# pyfarmhash comes as C++ source only; `strip` is in binutils.
RUN apt-get update && apt-get install -y --no-install-recommends binutils g++ python3-dev python3-venv

# What the package installers need to know about this network, if anything: `scripts/image` writes it, and it stays in
# this stage. PIP_INDEX_URL is the shorter way where a build argument is enough.
COPY Dockerfile build/image-setting[s]/* /settings/
ARG PIP_INDEX_URL=

WORKDIR /src
COPY constraints constraints
RUN set -a \
    && if [ -r /settings/environment ]; then . /settings/environment; fi \
    && python3 -m venv /opt/uv \
    && /opt/uv/bin/pip install -q --no-cache-dir -c constraints/tfx-1.21.txt uv

COPY setup.py ./
COPY segpipe_client/requirements*.txt segpipe_client/
ARG GPU=
ARG EXTRAS=gcs,s3
# Packages first, from setup.py and the client's lists alone: a change to the sources then costs seconds. Upstream builds
# TensorFlow twice; the build without CUDA's kernels is the smaller one and has another name, so nothing may ask for the
# first.
RUN set -a \
    && if [ -r /settings/environment ]; then . /settings/environment; fi \
    && export UV_NO_CACHE=1 UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$PIP_INDEX_URL} \
    && pins=constraints/tfx-1.21.txt && excludes=constraints/image-excludes.txt && project=".[$EXTRAS]" \
    && if [ -n "$GPU" ]; then project=".[$EXTRAS,gpu]" \
    ; else echo tensorflow >>$excludes && tensorflow=$(sed -n 's/^tensorflow==/tensorflow-cpu==/p' $pins); fi \
    && mkdir pipeline && echo '__version__ = "0"' >pipeline/__init__.py \
    && /opt/uv/bin/uv venv -q --python /usr/bin/python3 /opt/segpipe \
    && /opt/uv/bin/uv pip install -q -p /opt/segpipe/bin/python -c $pins \
        --build-constraints $pins --excludes $excludes "$project" $tensorflow

# What no step reads: headers, packages' own tests and examples, and symbol tables (TensorFlow's is 200 MB). What is left
# is compiled; byte code is not compared with the sources' times, which layers and registries may change.
RUN cd /opt/segpipe/lib/python3.13/site-packages \
    && rm -rf tensorflow/xla_aot_runtime_src tfx/examples \
    && find . -type d \( -name include -o -name testdata -o -name tests \) -prune -exec rm -rf {} + \
    && find . \( -name '*.a' -o -name '*.pyi' \) -delete \
    && find . -name '*.so*' -type f -size +1M -not -path '*.libs/*' -not -path './nvidia/*' \
        -exec strip --strip-unneeded {} + \
    && { PYTHONWARNINGS=ignore /opt/segpipe/bin/python -m compileall -qq -j 0 --invalidation-mode unchecked-hash . \
        || echo "not all is Python 3.13"; }

COPY README.md segpipe.py ./
COPY pipeline pipeline
COPY components components
COPY common common
COPY registry registry
COPY serving serving
COPY segpipe_client segpipe_client
COPY schemas schemas
RUN set -a \
    && if [ -r /settings/environment ]; then . /settings/environment; fi \
    && export UV_NO_CACHE=1 UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$PIP_INDEX_URL} PYC_INVALIDATION_MODE=UNCHECKED_HASH \
    && /opt/uv/bin/uv pip install -q -p /opt/segpipe/bin/python --compile-bytecode \
        --build-constraints constraints/tfx-1.21.txt --no-deps --reinstall-package segpipe .

# ---- what runs -------------------------------------------------------------------------------------------------------
FROM python
ARG VERSION=0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="segpipe" \
      org.opencontainers.image.description="From pictures and masks to a served segmentation model, on TFX" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.base.name="docker.io/library/debian:trixie-slim"
COPY --from=build /opt/segpipe /opt/segpipe
# All that is ever written goes below /tmp, so that the root file system can be read-only.
ENV PATH=/opt/segpipe/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TF_CPP_MIN_LOG_LEVEL=1
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT []
CMD ["segpipe", "--help"]
