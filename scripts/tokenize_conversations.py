r"""Encode one shard of conversations, and mark the tokens that a model learns: the answers.

In:  a parquet file with a column of messages, a tokenizer folder.
Out: NAME.ds (little-endian uint16 or uint32 tokens), NAME.ds.index (uint64 ends of conversations, in tokens),
     NAME.ds.mask (uint8 for each token: 1 if a model learns to predict it), NAME.ds.metadata (tokenizer and bytes per
     token, for datatrove), NAME.json (counts and hashes).

    python scripts/tokenize_conversations.py --shard results/talks/shards/shard_00000.parquet \
        --tokenizer results/demo/bpe-4096/tokenizer --output tokens/shard_00000.ds
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake import layout
from nanosnake.files import NanosnakeError, replacing, sha256_file
from nanosnake.messages import Progress
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class TokenizeConversations(Stage):
    """Encode the conversations of one shard."""

    shard: Path
    """The parquet file."""
    text_column: str = "text"
    """Column of the messages: lists of them, or JSON."""
    tokenizer: Path
    """Tokenizer folder."""
    max_tokens: int = 2048
    """Tokens after which a conversation is cut."""
    output: Path
    """Token file to write, .ds."""

    def run(self) -> str | None:
        facts = tokenize(self)
        return (
            f"{self.output}: {facts['documents']:,} conversations, {facts['turns']:,} messages, {facts['tokens']:,} "
            f"tokens of which {facts['learned']:,} are learned; {facts['cut']:,} cut, {facts['left_out']:,} left out"
        )


def tokenize(options: TokenizeConversations) -> dict[str, Any]:
    """Write the files of a token shard and return the facts of the JSON file.

    Raises:
        NanosnakeError: if a row is not a conversation, or no conversation has anything to learn.
    """
    import numpy as np

    from nanosnake.sources import talks
    from nanosnake.sources.unchanged import check_unchanged
    from nanosnake.tokenizer import conversations, datatrove
    from nanosnake.tokenizer.folder import load

    check_unchanged(options.shard)
    tokenizer = load(options.tokenizer)
    encode, special = tokenizer.rust().encode, tokenizer.special_tokens
    if problem := conversations.problem(str(options.tokenizer), special):
        raise NanosnakeError(problem)
    ends: list[int] = []
    counts = dict.fromkeys(("documents", "turns", "tokens", "learned", "cut", "left_out", "bytes"), 0)
    paths = layout.token_files(options.output)
    with contextlib.ExitStack() as stack:
        token_file, index_file, mask_file = (
            stack.enter_context(stack.enter_context(replacing(path)).open("wb")) for path in paths.values()
        )
        progress = stack.enter_context(Progress(f"encoding {options.shard.name}", unit="rows"))
        for row, messages in enumerate(talks.read(options.shard, options.text_column), start=1):
            progress(row)
            whole, learned = conversations.render(messages, encode, special, tokenizer.bos_id)
            ids, learned = whole[: options.max_tokens], learned[: options.max_tokens]
            if not learned.any():
                counts["left_out"] += 1
                continue
            counts["documents"] += 1
            counts["turns"] += len(messages)
            counts["tokens"] += len(ids)
            counts["learned"] += int(learned.sum())
            counts["cut"] += len(ids) < len(whole)
            counts["bytes"] += int(tokenizer.token_lengths[ids].sum())
            ends.append(counts["tokens"])
            token_file.write(ids.astype(np.dtype(tokenizer.token_type).newbyteorder("<")).tobytes())
            mask_file.write(learned.astype(np.uint8).tobytes())
        if counts["left_out"] and not ends:
            raise NanosnakeError(
                f"{options.shard}: no conversation has an answer within {options.max_tokens} tokens; raise max_tokens"
            )
        index_file.write(np.array(ends, dtype="<u8").tobytes())
    hashes = {key: sha256_file(path) for key, path in paths.items()}
    return datatrove.describe(options.output, tokenizer, {**counts, **hashes})


if __name__ == "__main__":
    main(TokenizeConversations)
