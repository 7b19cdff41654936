"""manage.py with short leases and time limits, so that tests of killed processes need no patience.

Nothing else differs: `python -m tests.quick studio` is the product. `python -m tests.quick web` is the web server
alone; `gunicorn` is it as it is deployed, at a port that several of them share. How short, the environment can say:
`QUICK_LEASE=3` and so on, in seconds.
"""

import functools
import os
import sys
from datetime import timedelta


def seconds(name: str, usual: float) -> float:
    """A time from the environment, or the usual one."""
    return float(os.environ.get(f"QUICK_{name}", usual))


def set_up() -> None:
    """Django with the product's settings, and the short times."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lumasite.settings")
    from videos.luma import client

    client.CONNECT_SECONDS, client.READ_SECONDS = seconds("CONNECT", 2), seconds("READ", 3)
    client.LumaClient.__init__.__kwdefaults__ |= {
        "connect_seconds": client.CONNECT_SECONDS,
        "read_seconds": client.READ_SECONDS,
    }
    import django
    from django.conf import settings

    options = settings.DATABASES["default"]["OPTIONS"]
    if "sqlite" in settings.DATABASES["default"]["ENGINE"]:
        options["timeout"] = seconds("DATABASE", 20)
    else:
        options["options"] = f"-c lock_timeout={seconds('DATABASE', 20):.0f}s"
    django.setup()
    from huey import consumer

    from videos import worker
    from videos.services import confirming, provider

    provider.LEASE = timedelta(seconds=seconds("LEASE", 8))
    provider.ASK_INTERVAL = timedelta(seconds=seconds("ASK", 1.05))
    confirming.ASK_AFTER = (0, 2, 5, 10)
    worker.SHUTDOWN_SECONDS = seconds("SHUTDOWN", 30)
    consumer.Scheduler.periodic_task_seconds = seconds("SWEEP", 60)
    if os.environ.get("QUICK_SANDBOX"):
        from videos.sandbox import server

        # Tiny films, for tests that don't look at them.
        server.Sandbox = functools.partial(server.Sandbox, quick=True)


def run(words: list[str]) -> None:
    """One of manage.py's commands, or the web server."""
    if words == ["web"]:
        import waitress
        from django.conf import settings
        from django.core.wsgi import get_wsgi_application

        waitress.serve(get_wsgi_application(), host="127.0.0.1", port=settings.PORT, threads=8, _quiet=True)
        return
    if words == ["gunicorn"]:
        from django.conf import settings
        from gunicorn.app.wsgiapp import run as serve

        bind = ["--bind", f"127.0.0.1:{settings.PORT}", "--reuse-port"]
        sys.argv = ["gunicorn", *bind, "--worker-class", "gthread", "--threads", "8", "lumasite.wsgi"]
        serve()
        return
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *words])


if __name__ == "__main__":
    set_up()
    run(sys.argv[1:])
