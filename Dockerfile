# With backups in buckets and spans: docker build --build-arg EXTRAS=s3,otel (see docs/operations.md for what they weigh).
# docker build -t collab . && docker run --read-only --tmpfs /tmp -v collab:/data -p 8000:8000 collab
# Debian's own Python: every step can be tried without a container engine (python -m tests.operate.image).
FROM debian:bookworm-slim AS python
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && find /usr/lib/python3* -name '__pycache__' -prune -exec rm -rf {} +

FROM python AS build
ARG EXTRAS=""
WORKDIR /src
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends binutils python3-venv && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml README.md LICENSE ./
COPY clients ./clients
COPY collab ./collab
# The build makes the pages too, with Node from PyPI; what installs is not needed any more afterwards. Symbols that only
# debuggers read are a third of all that is installed; bytecode is another, and made anew in /tmp at the first start.
RUN python3 -m venv /opt/collab \
    && /opt/collab/bin/python -m pip install --no-cache-dir --no-compile ".${EXTRAS:+[$EXTRAS]}" \
    && /opt/collab/bin/python -m pip uninstall -y setuptools pip \
    && find /opt/collab -name '*.so' -exec strip --strip-unneeded {} + \
    && find /opt/collab -name '__pycache__' -prune -exec rm -rf {} +

FROM python
LABEL org.opencontainers.image.title="collab" \
      org.opencontainers.image.description="Collaborative editing backend for Yjs editors" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin collab \
    && install -d -o collab -g collab -m 0700 /data
COPY --from=build /opt/collab /opt/collab
ENV PATH=/opt/collab/bin:$PATH \
    PYTHONPYCACHEPREFIX=/tmp/bytecode \
    PYTHONUNBUFFERED=1 \
    COLLAB_HOST=0.0.0.0 \
    COLLAB_DATA=/data
USER 10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["collab"]
CMD ["serve"]
