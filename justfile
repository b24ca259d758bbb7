# Commands for developers; `just` lists them.

default:
    @just --list

# the main job: shards, tokenizer, checks, report
run *arguments:
    uv run snakemake --cores all {{ arguments }}

# all tests
test *arguments:
    uv run pytest {{ arguments }}

# the tests that take minutes or hours
nightly *arguments:
    uv run pytest -m nightly {{ arguments }}

# kill random processes of the workflow and compare what it makes; --seed replays
kill *arguments:
    PYTHONPATH=tests:scripts uv run python -m faults.killing {{ arguments }}

# what CI looks at before the tests
lint: && test-rust
    uv run ruff check
    uv run ruff format --check
    uv run snakefmt --check Snakefile rules
    uv run snakemake --lint
    uv run mypy scripts rules
    uv run python -m mypy.stubtest rustbpe --allowlist tests/rust/stubtest_allowed.txt
    cargo fmt --manifest-path rustbpe/Cargo.toml --all --check
    cargo clippy --manifest-path rustbpe/Cargo.toml --workspace --all-targets --locked -- -D warnings

# the crate's tests, with the checks of a debug build; in the release profile, whose libraries are built by then
test-rust:
    cargo test --manifest-path rustbpe/Cargo.toml --package rustbpe-core --release --locked \
        --config 'profile.release.package.rustbpe-core.debug-assertions=true' \
        --config 'profile.release.package.rustbpe-core.overflow-checks=true'

# format everything
format:
    uv run ruff check --fix
    uv run ruff format
    uv run snakefmt Snakefile rules
    cargo fmt --manifest-path rustbpe/Cargo.toml --all

# the JSON schema of the configuration, after a change of its models
schema:
    uv run python scripts/write_schema.py config/schema.json

# the picture of the rule graph in the README; needs graphviz
graph:
    uv run snakemake --rulegraph dot | dot -Tsvg > docs/rulegraph.svg

# the conda environment with the versions of uv.lock
envs:
    uv run python scripts/write_environment.py uv.lock envs/nanosnake.yaml
