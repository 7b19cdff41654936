"""manage.py with short leases and time limits, so that tests of killed processes need no patience.

Nothing else differs: `python -m tests.quick studio` is the product.
"""

import os
import sys
from datetime import timedelta


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lumasite.settings")
    from videos.luma import client

    client.CONNECT_SECONDS, client.READ_SECONDS = 2, 3
    client.LumaClient.__init__.__kwdefaults__ |= {"connect_seconds": 2, "read_seconds": 3}
    import django

    django.setup()
    from videos.services import provider

    provider.LEASE = timedelta(seconds=8)
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
