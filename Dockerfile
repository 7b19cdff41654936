# One image for the web server (as it is) and for the worker (command: python manage.py run_huey). See docs/deploy.md.
# One stage: every requirement comes as a wheel, so there is no compiler to leave behind.
FROM python:3.13-slim-trixie

ENV PYTHONUNBUFFERED=1 \
    DATA_DIR=/data

RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin studio \
    && install --directory --owner=studio --group=studio --mode=0750 /data

WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir --only-binary=:all: --requirement requirements.txt
COPY manage.py ./
COPY deploy/gunicorn.conf.py ./deploy/
COPY locale ./locale
COPY static ./static
COPY templates ./templates
COPY lumasite ./lumasite
COPY videos ./videos

USER 10001
# The key signs nothing: it is there so that none is made and kept in the image.
RUN SECRET_KEY=collectstatic-needs-none python manage.py collectstatic --noinput

EXPOSE 8000
# Healthy while database, queue and a worker are alive. For the worker's container: turn it off.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz/', timeout=8)"]
CMD ["gunicorn", "--config", "deploy/gunicorn.conf.py", "--bind", "0.0.0.0:8000", "lumasite.wsgi"]
