"""The web server of a deployment: `gunicorn -c deploy/gunicorn.conf.py lumasite.wsgi`.

Each value stands here with its reason; GUNICORN_CMD_ARGS or the command line overrule it.
"""

import os

# The proxy is the only caller, on this machine; a container says --bind 0.0.0.0:8000. systemd's socket comes first.
bind = "127.0.0.1:8000"

# --- processes and threads ------------------------------------------------------------------------

# Threads, since requests wait for the database and the bucket most of their time. ASGI was slower here.
worker_class = "gthread"
# One for each core; two at least, so that one can end or be killed while the other answers.
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
# Below the 20 connections of a process's PostgreSQL pool: no thread waits for another's connection. With more, they
# wait for Python's one lock instead.
threads = 8
# Each process imports the code itself, so that a reload (HUP) brings the new one, and no connection is shared by two.
preload_app = False

# --- times, in seconds ----------------------------------------------------------------------------

# A process whose main thread has not stirred for so long is stuck, and is replaced. It limits no request: those run in
# other threads.
timeout = 60
# What is under way at a reload or at the end may take so long; the worker's steps have as long. systemd and Docker
# wait for 40.
graceful_timeout = 30
# The proxy opens a connection for each request. This is for those who come without one.
keepalive = 5

# --- processes don't grow old ---------------------------------------------------------------------

# What a library may leak over weeks goes with the process (pictures and films have short-lived ones of their own).
# With the jitter they do not all end at once.
max_requests = 20_000
max_requests_jitter = 5_000
# Heartbeats are files: on a disk, a busy one can stop a process for as long as it is busy.
worker_tmp_dir = "/dev/shm"  # noqa: S108
# systemd and Docker steer it; another way in is one too many.
control_socket_disable = True

# --- who is asking --------------------------------------------------------------------------------

# Django alone judges X-Forwarded-*, by TRUSTED_PROXIES.
forwarded_allow_ips = ""

# --- logs -----------------------------------------------------------------------------------------

# The proxy keeps the access log. `--access-logfile -` adds one here.
accesslog = None
errorlog = "-"


def on_starting(server):
    """Take tokens and signatures out of both logs: addresses stand in the access log, and in reports of faults."""
    # Importable only now that gunicorn has entered its folder.
    from lumasite.logs import RedactSecrets

    for log in (server.log.error_log, server.log.access_log):
        log.addFilter(RedactSecrets())
