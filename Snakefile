# nanosnake: from text shards to a validated BPE tokenizer, every step a file.
from snakemake.utils import min_version

min_version("9.19")


if not workflow.overwrite_configfiles:

    configfile: f"{workflow.basedir}/config/config.yaml"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/shards.smk"
include: "rules/counts.smk"
include: "rules/tokenizer.smk"
include: "rules/validation.smk"
include: "rules/tokens.smk"
include: "rules/model.smk"
include: "rules/report.smk"
include: "rules/ladders.smk"
include: "rules/manifest.smk"
include: "rules/publish.smk"
include: "rules/cluster.smk"


# Everything that the configuration describes.
rule all:
    default_target: True
    input:
        leftovers.settle,
        expand(layout.SHARD_TABLE, dataset=datasets.plain()),
        manifests.products(),
        tokenizers.each(f"{layout.TOKENIZER}/manifest.json"),
        tokenizers.comparisons(),
        models.each(f"{layout.MODEL}/manifest.json"),
        ladders.all(),
        publishing.published(),


# Only the shards, for instance to fetch them on a machine with a network.
rule shards:
    input:
        leftovers.settle,
        expand(layout.SHARD_TABLE, dataset=datasets.plain()),


# The shards in each tokenizer's ids, if its gate is open.
rule tokens:
    input:
        leftovers.settle,
        tokenizers.all_token_shards(),
        tokenizers.each(f"{layout.TOKENIZER}/tokens/manifest.json"),


# The tokenizers with their reports, and the pages of the models that exist: this trains no model.
rule reports:
    input:
        leftovers.settle,
        tokenizers.each(layout.TOKENIZER_PAGE),
        tokenizers.comparisons(),
        models.evaluated(layout.MODEL_PAGE),


# The published copies, if the configuration has a `publish` section.
rule publish:
    input:
        leftovers.settle,
        publishing.asked_for,


# before the first job: check what would be made twice, what Snakemake would refuse, and what could not be published at
# the end. It is better to learn before days of training that a bucket cannot be written. As a file that the trainer
# depends on, this would be checked only once, and a new input would make every tokenizer outdated.
onstart:
    for note in filter(None, (untested(), built_before(REPOSITORY))):
        log(note)
    try:
        check_times(run.inputs)
        publishing.check_destination(run.rules)
        leftovers.start()
        outcome.start()
    except NanosnakeError as error:
        refuse(str(error))
    # Snakemake does not reach `onerror` if there is no room for its own notes
    atexit.register(say_if_full, Path.cwd())


# at exit, so that it is below Snakemake's own last lines; what is registered last is printed first
onsuccess:
    atexit.unregister(say_if_full)
    keeper.finish()
    atexit.register(outcome.say)
    leftovers.summarize()


onerror:
    leftovers.stop_what_is_left()
    keeper.finish()
    atexit.register(outcome.say)
    leftovers.summarize()
