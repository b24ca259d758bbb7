"""A model: trained on token shards, evaluated on the pinned validation shards, exported on request."""


rule train_model:
    """Train a GPT. Its rolling checkpoints stand outside the outputs, which Snakemake deletes before a rerun:
    a job that is killed and started again goes on from the last one."""
    input:
        **graph.code("train_model.py"),
        gate=ancient(f"{TOKENIZER}/gate.json"),
        tokenizer=rules.export_tokenizer.output,
        train=graph.train_tokens,
        validation=graph.validation_tokens,
    output:
        weights=f"{MODEL}/model.safetensors",
        model=f"{MODEL}/model.json",
        metrics=f"{MODEL}/metrics.jsonl",
        summary=f"{MODEL}/training.json",
    log:
        text="logs/{dataset}/{tokenizer}/{model}/train.log",
        record="logs/{dataset}/{tokenizer}/{model}/train.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/{model}/train.tsv"
    conda:
        "../envs/nanosnake.yaml"
    threads: 64
    resources:
        mem_mb=memory(16000),
        runtime=minutes(1440),
        nodes=1,
        processes=1,
    params:
        launch=graph.script("launch.py"),
        folder=folder_of("tokenizer"),
        train=graph.train_tokens_word,
        validation=graph.validation_tokens_word,
        checkpoints=CHECKPOINTS,
        model=MODEL,
        options=graph.model_options,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {params.launch:q} --nodes {resources.nodes} --processes {resources.processes} {input.script:q}"
        " --train {params.train:q} --validation {params.validation:q} --tokenizer {params.folder:q}"
        " --checkpoints {params.checkpoints:q} --out {params.model:q} {params.options} |& tee -i {log.text:q}"


rule evaluate_model:
    """Measure bits per byte on the pinned validation shards, write samples, answer tasks."""
    input:
        **graph.code("evaluate_model.py"),
        weights=rules.train_model.output.weights,
        model=rules.train_model.output.model,
        tokenizer=rules.export_tokenizer.output,
        validation=graph.validation_tokens,
        extra=graph.evaluation_inputs,
    output:
        f"{MODEL}/evaluation.json",
    log:
        text="logs/{dataset}/{tokenizer}/{model}/evaluate.log",
        record="logs/{dataset}/{tokenizer}/{model}/evaluate.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/{model}/evaluate.tsv"
    conda:
        "../envs/nanosnake.yaml"
    threads: 64
    resources:
        mem_mb=memory(16000),
        runtime=minutes(120),
        nodes=1,
        processes=1,
    params:
        launch=graph.script("launch.py"),
        folder=folder_of("tokenizer"),
        validation=graph.validation_tokens_word,
        model=folder_of("weights"),
        options=graph.evaluation_options,
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {params.launch:q} --nodes {resources.nodes} --processes {resources.processes} {input.script:q}"
        " --model {params.model:q} --validation {params.validation:q} --tokenizer {params.folder:q}"
        " --out {output:q} {params.options} |& tee -i {log.text:q}"


rule export_model:
    """Put the weights, their description and the tokenizer in one folder for others to load."""
    input:
        **graph.code("export_model.py"),
        weights=rules.train_model.output.weights,
        model=rules.train_model.output.model,
        tokenizer=rules.export_tokenizer.output,
    output:
        expand(f"{MODEL}/export/{{file}}", file=EXPORTED, allow_missing=True),
    log:
        text="logs/{dataset}/{tokenizer}/{model}/export.log",
        record="logs/{dataset}/{tokenizer}/{model}/export.json",
    benchmark:
        "logs/{dataset}/{tokenizer}/{model}/export.tsv"
    conda:
        "../envs/nanosnake.yaml"
    resources:
        mem_mb=8000,
    params:
        folder=folder_of("tokenizer"),
        model=folder_of("weights"),
        export=f"{MODEL}/export",
    shell:
        "NANOSNAKE_RECORD={log.record:q}"
        " python {input.script:q} --model {params.model:q} --tokenizer {params.folder:q}"
        " --out {params.export:q} |& tee -i {log.text:q}"
