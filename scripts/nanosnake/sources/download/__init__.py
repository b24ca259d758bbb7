"""Download one file over HTTP or from S3 so that it is whole, the right one, and resumed rather than restarted.

loop.py         the loop: attempts, waits, checks at the end
attempt.py      one attempt over HTTP: redirects followed by hand, then the body
objects.py      one attempt at an object in S3
body.py         a body, appended to the partial file
checksums.py    tables of checksums, as sha256sum writes them
partial.py      the partial file, what is known about it, and its lock
hosts.py        which hosts are asked, and which of them sees the token
environment.py  proxies, certificates, Hugging Face's endpoint
headers.py      what hosts say in headers
problems.py     messages for everything that can go wrong
"""

from nanosnake.sources.download.loop import Download, fetch, here
from nanosnake.sources.download.partial import partial_path
from nanosnake.sources.download.problems import Patience

__all__ = ["Download", "Patience", "fetch", "here", "partial_path"]
