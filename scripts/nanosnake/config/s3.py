"""S3 in the configuration: which server to use, and what is published where. Never credentials."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from nanosnake.config.base import Model, wrong
from nanosnake.s3.place import Endpoint, Place, check_endpoint_url

PublishedThing = Literal["shards", "token_shards", "models"]


def check_place(value: str) -> str:
    """Return an s3:// URL that names a bucket.

    Raises:
        ValueError: if it is not one.
    """
    Place.parse(value)
    return value


class S3Endpoint(Model):
    """The server to use. Credentials come from the environment and the usual files (AWS_PROFILE, ~/.aws)."""

    endpoint_url: Annotated[str, AfterValidator(check_endpoint_url)] | None = None
    """URL of an S3-compatible server; default: AWS_ENDPOINT_URL_S3, else Amazon's."""
    region: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] | None = None
    """Region of the bucket; default: from AWS_REGION or the profile."""
    path_style: bool = False
    """Put the bucket in the path instead of the host name, as many S3-compatible servers require."""

    @model_validator(mode="before")
    @classmethod
    def _no_credentials(cls, data: Any) -> Any:
        """Refuse credentials by name, without showing them."""
        for key in data if isinstance(data, dict) else ():
            if any(word in str(key).lower() for word in ("secret", "access_key", "password", "token_")):
                raise wrong(
                    key,
                    "not shown",
                    "no credentials in a configuration; set AWS_PROFILE, or AWS_ACCESS_KEY_ID",
                )
        return data

    @property
    def endpoint(self) -> Endpoint:
        """The same for the client."""
        return Endpoint(self.endpoint_url, self.region, self.path_style)


class Publish(S3Endpoint):
    """Where to publish each tokenizer whose gate is open, with its reports."""

    destination: Annotated[str, AfterValidator(check_place)]
    """s3://bucket/prefix; below it, files are laid out as in results/."""
    include: Annotated[list[PublishedThing], Field(default_factory=list)]
    """What is published in addition to tokenizer and reports."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.include)) < len(self.include):
            raise wrong("include", self.include, "a word is given twice")
        return self
