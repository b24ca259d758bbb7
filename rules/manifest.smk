"""Manifests: for each file that is published, what it was made from, by which code, where and when."""

from make_manifest import MakeManifest


rule make_manifest:
    """Write the manifest of a tokenizer, of its token shards, or of a model; the gate has to be open."""
    input:
        code=code(MakeManifest),
        gate=manifests.gate,
        files=manifests.files,
        tokens=manifests.tokens,
    output:
        layout.MANIFEST,
    log:
        log_of(layout.MANIFEST),
    benchmark:
        benchmark_of(layout.MANIFEST)
    wildcard_constraints:
        part=f"(?:/(?:tokens|{any_of(CONFIG.models)}))?",
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=1000,
    params:
        options=manifests.options,
    shell:
        command(MakeManifest, "{params.options}", files="input.files", output="output")
