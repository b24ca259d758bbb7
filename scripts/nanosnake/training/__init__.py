"""Training of a GPT on token shards: model, loader, optimizer, checkpoints, evaluation.

Needs torch (2.9 or newer), numpy and the token files; nothing of the rest of the project's environment.
"""
