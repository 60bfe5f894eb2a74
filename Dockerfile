# The dashboard, for AWS (docs/hosting-ecs.md). The image holds no credentials and no settings: a task
# role and environment variables give both. Run it with a read-only root file system and tmpfs at /data and /tmp.
FROM python:3.13.9-slim-bookworm AS build
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.lock

FROM python:3.13.9-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin scones \
    && install --directory --owner=scones --group=scones /data
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY . .
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/data \
    SCONES_CLOUD=aws \
    SCONES_STORE=/data/scones
USER 10001:10001
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; b = os.environ.get('STREAMLIT_SERVER_BASE_URL_PATH', '').strip('/'); r.urlopen('http://127.0.0.1:8501/' + (b and b + '/') + '_stcore/health', timeout=4)"]
# Bound beyond loopback it does not start until SCONES_ACCESS says who may use it (docs/access.md).
CMD ["python", "-m", "streamlit", "run", "dashboard/app.py", "--server.address", "0.0.0.0", "--server.port", "8501"]
