# One image for every process of the reference application: web, worker, relay and commands.
# docs/how-to/run-in-containers.md tells how it is built and run; docs/explanation/containers.md says why it is so.
ARG PYTHON=python:3.13-slim-bookworm

FROM ${PYTHON} AS builder
WORKDIR /source
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# What is installed beside the package: exactly what deploy/constraints.txt lists, each file with a hash that stands there, and
# nothing that has to be compiled.
FROM builder AS dependencies
COPY deploy/constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip wheel --no-deps --only-binary :all: --require-hashes --wheel-dir /wheels --requirement constraints.txt

FROM builder AS package
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN --mount=type=cache,target=/root/.cache/pip \
    pip wheel --no-deps --wheel-dir /wheels .

# `docker build --target constraints --output deploy .` writes deploy/constraints.txt anew: the newest that fit.
FROM builder AS resolved
COPY deploy/resolve.py pyproject.toml ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python resolve.py > constraints.txt

FROM scratch AS constraints
COPY --from=resolved /source/constraints.txt /

FROM ${PYTHON} AS runtime
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp POSTRMAGIC_STACK__DATA_DIR=/data
RUN groupadd --gid 10001 app \
    && useradd --uid 10001 --gid app --no-create-home --home-dir /tmp --shell /usr/sbin/nologin app \
    && install --directory --owner app --group app --mode 0700 /data
# What changes seldom is a layer of its own: a new release brings the small ones below it.
RUN --mount=type=bind,from=dependencies,source=/wheels,target=/wheels \
    pip install --no-cache-dir --root-user-action=ignore --disable-pip-version-check --no-index --no-deps /wheels/*.whl
RUN --mount=type=bind,from=package,source=/wheels,target=/wheels \
    pip install --no-cache-dir --root-user-action=ignore --disable-pip-version-check --no-index --no-deps /wheels/*.whl \
    && pip check
WORKDIR /srv
COPY deploy/healthy.py ./
COPY examples/media_library ./media_library
RUN python -m compileall -q media_library
ARG RELEASE=dev
ENV POSTRMAGIC_STACK__RELEASE=${RELEASE}
LABEL org.opencontainers.image.title="media-library" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${RELEASE}"
USER 10001:10001
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-I", "-S", "/srv/healthy.py"]
CMD ["postrmagic", "serve", "media_library.asgi:app", "--host", "0.0.0.0", "--port", "8000", "--drain", "3", "--grace", "20"]
