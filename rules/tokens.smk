"""Token shards: every shard in every tokenizer's ids, made only when the tokenizer's gate is open."""

from hash_tokenizer import HashTokenizer
from tokenize_conversations import TokenizeConversations
from tokenize_shard import TokenizeShard


rule hash_tokenizer:
    """Write the hashes of the tokenizer's files: rules that need the tokenizer for each shard name this one file.

    If they named the files themselves, Snakemake would check everything those were made from, once per shard.
    """
    input:
        code=code(HashTokenizer),
        tokenizer=rules.export_tokenizer.output,
    output:
        layout.TOKENIZER_HASHES,
    log:
        log_of(f"{layout.TOKENIZER}/hash"),
    benchmark:
        benchmark_of(f"{layout.TOKENIZER}/hash")
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=500,
    shell:
        command(HashTokenizer, files="input.tokenizer", output="output")


rule tokenize_shard:
    """Encode a shard's documents; each begins with the tokenizer's first special token.

    The gate has to be open, but its time is ignored: reopening the gate changes no token.
    """
    input:
        code=code(TokenizeShard),
        gate=ancient(tokenizers.gate),
        tokenizer=tokenizers.hashes,
        shard=tokenizers.shard,
    output:
        tokens=layout.TOKEN_SHARD,
        index=layout.TOKEN_INDEX,
        metadata=layout.TOKEN_METADATA,
        facts=layout.TOKEN_FACTS,
    log:
        log_of(layout.TOKEN_SHARD),
    benchmark:
        benchmark_of(layout.TOKEN_SHARD)
    wildcard_constraints:
        dataset=any_of(datasets.of_content("text")),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(1000, per_input_mb=6),
        runtime=minutes(0.5, per_input_gb=3),
    params:
        options=tokenizers.tokenize,
    shell:
        command(
            TokenizeShard, "{params.options}", shard="input.shard", output="output.tokens", threads="threads"
        )


rule tokenize_conversations:
    """Encode a shard's conversations, with a mask of the tokens that a model learns: the answers."""
    input:
        code=code(TokenizeConversations),
        gate=ancient(tokenizers.gate),
        tokenizer=tokenizers.hashes,
        shard=tokenizers.shard,
    output:
        tokens=layout.TOKEN_SHARD,
        index=layout.TOKEN_INDEX,
        mask=layout.TOKEN_MASK,
        metadata=layout.TOKEN_METADATA,
        facts=layout.TOKEN_FACTS,
    log:
        log_of(layout.TOKEN_SHARD),
    benchmark:
        benchmark_of(layout.TOKEN_SHARD)
    wildcard_constraints:
        dataset=any_of(datasets.of_content("conversations")),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=memory(1000),
        runtime=minutes(1, per_input_gb=60),
    params:
        options=tokenizers.tokenize,
    shell:
        command(TokenizeConversations, "{params.options}", shard="input.shard", output="output.tokens")
