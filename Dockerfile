# ComparImg in a container. /config holds configuration and index, /photos the photographs.
#   docker build -t comparimg .
#   docker compose up -d          (see compose.yaml)
# For both processors; every pinned package has wheels for both, so nothing is compiled (make wheels):
#   docker buildx create --use
#   docker buildx build --platform linux/amd64,linux/arm64 -t REGISTRY/comparimg --push .
ARG BASE=python:3.11.15-slim-bookworm

FROM $BASE AS build
WORKDIR /src
RUN python -m venv /opt/comparimg
COPY requirements.txt .
# Optional packages under other licences (docs/dependencies.md): --build-arg EXTRAS="PACKAGE..."
ARG EXTRAS=""
RUN /opt/comparimg/bin/pip install --no-cache-dir --no-compile --no-deps -r requirements.txt && \
    if [ -n "$EXTRAS" ]; then /opt/comparimg/bin/pip install --no-cache-dir --no-compile $EXTRAS; fi
COPY pyproject.toml README.md LICENSE ./
COPY daemon daemon
COPY index index
COPY webui webui
RUN /opt/comparimg/bin/pip install --no-cache-dir --no-deps . && \
    /opt/comparimg/bin/pip uninstall --yes pip && \
    python -m compileall -q /opt/comparimg/lib

FROM $BASE
COPY --from=build /opt/comparimg /opt/comparimg
COPY packaging/docker-entrypoint /usr/local/bin/docker-entrypoint
RUN ln -s /opt/comparimg/bin/comparimg-ctl /opt/comparimg/bin/comparimg-worker /usr/local/bin/ && mkdir -m 0777 /config /photos
ENV COMPARIMG_CONFIG=/config/comparimg.toml NUMBA_CACHE_DIR=/config/cache HOME=/config PYTHONUNBUFFERED=1
VOLUME ["/config", "/photos"]
EXPOSE 5000
HEALTHCHECK --interval=60s --timeout=10s --start-period=5m --retries=3 \
    CMD ["/opt/comparimg/bin/python", "-I", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:5000/healthz', timeout=8)"]
ENTRYPOINT ["docker-entrypoint"]
CMD ["/opt/comparimg/bin/python", "-I", "-m", "daemon"]
