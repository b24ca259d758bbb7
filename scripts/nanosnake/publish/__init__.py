"""Publish files to S3: each is whole or absent, what is already there is not sent again, the manifest comes last.

destination.py  one bucket and prefix: compare, send, check
receipts.py     a rule's record of what it has published
preflight.py    whether publishing can work, before anything expensive begins
manifest.py     the list of all that was published, which is written last and read first
"""
