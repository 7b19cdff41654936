"""What reads hostile bytes: run by `videos.apart` in processes of their own, and knows no Django.

Each is a command: the file comes by standard input; a line of JSON and then the result go to standard output.
"""

FRAME_MAX_BYTES = 25 * 1024 * 1024
"""The provider's own limit."""
FRAME_MAX_PIXELS = 40_000_000
FRAME_MIN_SIDE = 16
SCANS_MOST = 50
"""A progressive JPEG has about ten scans; with thousands, a small file would take hours to draw."""
