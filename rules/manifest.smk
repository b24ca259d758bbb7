"""Manifests: for each file that is published, what it was made from, by which code, where and when."""


rule make_manifest:
    """Write the manifest of a tokenizer, of its token shards, or of a model; the gate has to be open."""
    input:
        **graph.code("make_manifest.py"),
        gate=ancient(products.gate),
        files=products.files,
        tokens=products.tokens,
    output:
        f"{TOKENIZER}{{part}}/manifest.json",
    log:
        text="logs/{dataset}/{tokenizer}{part}/manifest.log",
        record="logs/{dataset}/{tokenizer}{part}/manifest.json",
    benchmark:
        "logs/{dataset}/{tokenizer}{part}/manifest.tsv"
    wildcard_constraints:
        part=f"(?:/(?:tokens|{any_of(CONFIG.models)}))?",
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=1000,
    params:
        part=products.part,
        settings=products.settings,
        tokens=products.token_words,
        code=graph.code_folder,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --dataset {wildcards.dataset:q} --tokenizer {wildcards.tokenizer:q}"
        " --part {params.part:q} --config {params.settings:q} --code {params.code:q} --files {input.files:q}"
        " --token-shards {params.tokens:q} --output {output:q} |& tee -i {log.text:q}"
