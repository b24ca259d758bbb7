"""Published copies in a bucket of S3, made only when the tokenizer's gate is open; the manifest is sent last.

Each rule leaves a receipt. Like that of the downloader, the code of the publisher is not an input: its results are
compared by checksum, and an edit of it must not reread terabytes.
"""

from publish_files import PublishFiles
from publish_manifest import PublishManifest


rule publish_files:
    """Publish what one receipt is for: a tokenizer, its report, a shard, a token shard, a model."""
    input:
        gate=tokenizers.gate,
        files=publishing.files,
    output:
        f"{layout.PUBLISHED}/{{thing}}.json",
    log:
        log_of(f"{layout.PUBLISHED}/{{thing}}.json"),
    wildcard_constraints:
        thing=THINGS,
    conda:
        "../envs/nanosnake.yaml"
    resources:
        uploads=1,
        mem_mb=memory(500),
        runtime=publishing.minutes,
    params:
        options=publishing.options,
    shell:
        command(PublishFiles, "{params.options}", gate="input.gate", receipt="output", sources="input.files")


rule publish_manifest:
    """Publish the manifest, after everything that it names."""
    input:
        manifest=f"{layout.TOKENIZER}/manifest.json",
        receipts=publishing.receipts,
    output:
        f"{layout.PUBLISHED}/manifest.json",
    log:
        log_of(f"{layout.PUBLISHED}/manifest.json"),
    conda:
        "../envs/nanosnake.yaml"
    resources:
        uploads=1,
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        options=publishing.manifest,
        receipts=layout.PUBLISHED,
    shell:
        command(
            PublishManifest,
            "{params.options}",
            manifest="input.manifest",
            receipts="params.receipts",
            output="output",
        )
