"""manage.py whose sandbox makes small films: the same pictures in the same shapes, drawn in a fraction of the time."""

import sys

if __name__ == "__main__":
    from django.core.management import execute_from_command_line

    from videos.sandbox import render, studio

    studio.SIZES = {ratio: render.quick_size(size) for ratio, size in render.SIZES.items()}
    studio.size_for = lambda image: render.quick_size(render.size_for(image))
    execute_from_command_line(["manage.py", *sys.argv[1:]])
