"""Published copies in a bucket of S3, made only when the tokenizer's gate is open; the manifest is sent last.

Each rule leaves a receipt. The code of the publisher is no input, as that of the downloader is none: what it
leaves is compared by checksum, and an edit of it must not read terabytes again.
"""

from nanosnake.workflow.publishing import PUBLISHED, Publishing

publishing = Publishing(CONFIG, graph)


rule publish_tokenizer:
    """Publish what other tools read, and what it was written from."""
    input:
        gate=f"{TOKENIZER}/gate.json",
        files=rules.export_tokenizer.output,
        merges=rules.train_tokenizer.output,
        exports=publishing.exports,
    output:
        f"{PUBLISHED}/tokenizer.json",
    log:
        text="logs/{dataset}/{tokenizer}/published/tokenizer.log",
        record="logs/{dataset}/{tokenizer}/published/tokenizer.json",
    conda:
        "../envs/nanosnake.yaml"
    resources:
        uploads=1,
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        script=graph.script("publish_files.py"),
        options=publishing.options,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {params.script:q} {params.options} --gate {input.gate:q} --receipt {output:q}"
        " {input.files:q} {input.merges:q} {input.exports:q} |& tee -i {log.text:q}"


rule publish_report:
    """Publish the report, and the files that it is made from."""
    input:
        gate=f"{TOKENIZER}/gate.json",
        page=f"{TOKENIZER}/report/index.html",
        verdicts=rules.decide_gate.input.verdicts,
        figures=rules.record_figures.output,
        curve=rules.measure_vocabulary_curve.output,
        shards="results/{dataset}/shards.csv",
    output:
        f"{PUBLISHED}/report.json",
    log:
        text="logs/{dataset}/{tokenizer}/published/report.log",
        record="logs/{dataset}/{tokenizer}/published/report.json",
    conda:
        "../envs/nanosnake.yaml"
    resources:
        uploads=1,
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        script=graph.script("publish_files.py"),
        options=publishing.options,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {params.script:q} {params.options} --gate {input.gate:q} --receipt {output:q} {input:q}"
        " |& tee -i {log.text:q}"


rule publish_shard:
    """Publish a shard, where the configuration asks for it."""
    input:
        gate=f"{TOKENIZER}/gate.json",
        shard=f"{SHARDS}/{{shard}}.parquet",
        metadata=f"{SHARDS}/{{shard}}.json",
    output:
        f"{PUBLISHED}/shards/{{shard}}.json",
    log:
        text="logs/{dataset}/{tokenizer}/published/shards/{shard}.log",
        record="logs/{dataset}/{tokenizer}/published/shards/{shard}.json",
    conda:
        "../envs/nanosnake.yaml"
    resources:
        uploads=1,
        mem_mb=memory(500),
        runtime=minutes(60),
    params:
        script=graph.script("publish_files.py"),
        options=publishing.options,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {params.script:q} {params.options} --gate {input.gate:q} --receipt {output:q}"
        " {input.shard:q} {input.metadata:q} |& tee -i {log.text:q}"


rule publish_token_shard:
    """Publish a token shard, where the configuration asks for it."""
    input:
        gate=f"{TOKENIZER}/gate.json",
        files=rules.tokenize_shard.output,
    output:
        f"{PUBLISHED}/tokens/{{split}}/{{shard}}.json",
    log:
        text="logs/{dataset}/{tokenizer}/published/tokens/{split}/{shard}.log",
        record="logs/{dataset}/{tokenizer}/published/tokens/{split}/{shard}.json",
    conda:
        "../envs/nanosnake.yaml"
    resources:
        uploads=1,
        mem_mb=memory(500),
        runtime=minutes(60),
    params:
        script=graph.script("publish_files.py"),
        options=publishing.options,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {params.script:q} {params.options} --gate {input.gate:q} --receipt {output:q} {input.files:q}"
        " |& tee -i {log.text:q}"


rule publish_token_manifest:
    """Publish the manifest of the token shards."""
    input:
        gate=f"{TOKENIZER}/gate.json",
        manifest=f"{TOKENIZER}/tokens/manifest.json",
    output:
        f"{PUBLISHED}/tokens/manifest.json",
    log:
        text="logs/{dataset}/{tokenizer}/published/tokens/manifest.log",
        record="logs/{dataset}/{tokenizer}/published/tokens/manifest.json",
    conda:
        "../envs/nanosnake.yaml"
    resources:
        uploads=1,
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        script=graph.script("publish_files.py"),
        options=publishing.options,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {params.script:q} {params.options} --gate {input.gate:q} --receipt {output:q} {input.manifest:q}"
        " |& tee -i {log.text:q}"


rule publish_manifest:
    """Publish the manifest, after everything that it names."""
    input:
        manifest=f"{TOKENIZER}/manifest.json",
        receipts=publishing.receipts,
    output:
        f"{PUBLISHED}/manifest.json",
    log:
        text="logs/{dataset}/{tokenizer}/published/manifest.log",
        record="logs/{dataset}/{tokenizer}/published/manifest.json",
    conda:
        "../envs/nanosnake.yaml"
    resources:
        uploads=1,
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        script=graph.script("publish_manifest.py"),
        options=publishing.options,
        receipts=PUBLISHED,
        things=publishing.things,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {params.script:q} {params.options} --manifest {input.manifest:q} --receipts {params.receipts:q}"
        " --output {output:q} {params.things:q} |& tee -i {log.text:q}"


rule publish_model_report:
    """Publish the page of a model, and the figures that it shows."""
    input:
        gate=f"{TOKENIZER}/gate.json",
        page=f"{MODEL}/report/index.html",
        evaluation=rules.evaluate_model.output,
        summary=rules.train_model.output.summary,
        metrics=rules.train_model.output.metrics,
    output:
        f"{PUBLISHED}/model_reports/{{model}}.json",
    log:
        text="logs/{dataset}/{tokenizer}/published/model_reports/{model}.log",
        record="logs/{dataset}/{tokenizer}/published/model_reports/{model}.json",
    conda:
        "../envs/nanosnake.yaml"
    resources:
        uploads=1,
        mem_mb=memory(500),
        runtime=minutes(10),
    params:
        script=graph.script("publish_files.py"),
        options=publishing.options,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {params.script:q} {params.options} --gate {input.gate:q} --receipt {output:q} {input:q}"
        " |& tee -i {log.text:q}"


rule publish_model:
    """Publish a model with its evaluation, and its folder for others where there is one; its manifest last."""
    input:
        gate=f"{TOKENIZER}/gate.json",
        files=rules.train_model.output,
        evaluation=rules.evaluate_model.output,
        export=publishing.model_export,
        manifest=f"{MODEL}/manifest.json",
    output:
        f"{PUBLISHED}/models/{{model}}.json",
    log:
        text="logs/{dataset}/{tokenizer}/published/models/{model}.log",
        record="logs/{dataset}/{tokenizer}/published/models/{model}.json",
    conda:
        "../envs/nanosnake.yaml"
    resources:
        uploads=1,
        mem_mb=memory(500),
        runtime=minutes(120),
    params:
        script=graph.script("publish_files.py"),
        options=publishing.options,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {params.script:q} {params.options} --gate {input.gate:q} --receipt {output:q}"
        " {input.files:q} {input.evaluation:q} {input.export:q} {input.manifest:q} |& tee -i {log.text:q}"
