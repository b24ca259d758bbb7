"""The configuration: typed models, their JSON schema, and one clear message for each mistake."""

from nanosnake.config.datasets import Dataset
from nanosnake.config.load import json_schema, load
from nanosnake.config.models import Config
from nanosnake.config.sources import (
    EmbeddedSource,
    FilesSource,
    HubSource,
    LocalSource,
    MixtureSource,
    S3Source,
    UrlSource,
)
from nanosnake.config.tokenizers import Taken, Tokenizer
from nanosnake.config.training import GPT

__all__ = [
    "GPT",
    "Config",
    "Dataset",
    "EmbeddedSource",
    "FilesSource",
    "HubSource",
    "LocalSource",
    "MixtureSource",
    "S3Source",
    "Taken",
    "Tokenizer",
    "UrlSource",
    "json_schema",
    "load",
]
