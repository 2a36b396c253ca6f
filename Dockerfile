# syntax=docker/dockerfile:1
# The service as one image: docker build -t btec-sync . (docs/deploy.md)

FROM python:3.12-slim-bookworm AS wheels
COPY requirements.txt /wheels/
RUN pip wheel --no-cache-dir --wheel-dir /wheels --requirement /wheels/requirements.txt

FROM python:3.12-slim-bookworm
# A user that owns nothing, under a number that other systems can be told.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent btec
# Compiled with Python's own library, which the base image leaves out: nothing can be written where it runs, so
# each start would compile it all again.
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-compile --no-index --find-links /wheels --requirement /wheels/requirements.txt \
    && python -m compileall -q "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

WORKDIR /srv/btec
COPY manage.py LICENSE ./
COPY config config/
COPY btec_sync btec_sync/
COPY units units/
COPY registrations registrations/
COPY payments payments/
COPY grades grades/
COPY deploy/gunicorn.conf.py deploy/healthcheck.py deploy/

# Settings come from the environment only; a .env would be a developer's.
ENV BTEC_ENV_FILE=/dev/null \
    BTEC_BIND=0.0.0.0:8001 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# The key signs nothing here, and is not in the image's environment. chmod, since the files may come from a
# checkout that only its owner may read.
RUN DJANGO_SECRET_KEY=only-to-collect python manage.py collectstatic --noinput \
    && python -m compileall -q . \
    && chmod -R a+rX .

USER 10001:10001
EXPOSE 8001
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["python", "deploy/healthcheck.py"]
# The exec form: gunicorn gets the signals itself, and ends its requests before it goes.
CMD ["python", "-m", "gunicorn", "config.wsgi", "--config", "deploy/gunicorn.conf.py"]
