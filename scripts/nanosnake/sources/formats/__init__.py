"""Any file of text as the parquet of a shard: JSON Lines, text, CSV, Arrow and parquet, compressed or not.

`look` says what a file is, `stream` reads bytes, `lines` and `tables` make documents of them, `columns` finds the text
in a row, `writer` writes shards, and `convert` ties them together. Everything streams: what is held in memory does not
grow with a file.
"""
