"""Conversations with a trained model: what writes an answer, and the server in front of it.

transformers has the commands `serve` and `chat`; what they lack for our models is in docs/chat.md.
"""
