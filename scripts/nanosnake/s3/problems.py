"""What can go wrong with S3: one message for each kind of failure, with no secret and no signature in it."""

from __future__ import annotations

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from nanosnake.files import NanosnakeError
from nanosnake.s3.place import Endpoint, Place

S3_ERRORS = (BotoCoreError, ClientError)
"""What the library raises. Some of their texts hold the whole request: never print them."""

RIGHTS = "docs/publish.md lists the rights that are needed"

_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws named by AWS_PROFILE"
_WRONG_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId", "AuthFailure"}
_EXPIRED = {"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "ExpiredTokenException"}
_NO_RIGHT = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "401", "403"}
_REGION = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"}
_FULL = {"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientStorage", "507"}
_BUSY = {"SlowDown", "ServiceUnavailable", "RequestTimeout", "TooManyRequests", "429", "503"}
_NOT_THERE = {"NoSuchKey", "NotFound", "404"}
_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.ProfileNotFound,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
)


def code_of(error: Exception) -> str:
    """Return the server's word for a failure, or the empty string if it did not answer."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", ""))
    return ""


def status_of(error: Exception) -> int:
    """Return the status of the server's answer, or 0 if it did not answer."""
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return 0


def not_there(error: Exception) -> bool:
    """Return whether the object does not exist, in a bucket that may."""
    return code_of(error) in _NOT_THERE


def precondition_failed(error: Exception) -> bool:
    """Return whether somebody else changed the object in the meantime."""
    return status_of(error) in (409, 412)


def passes(error: Exception) -> bool:
    """Return whether the same request may succeed later: a busy server, or a connection that broke."""
    if isinstance(error, ClientError):
        return status_of(error) >= 500 or status_of(error) == 429 or code_of(error) in _BUSY
    return isinstance(
        error,
        exceptions.HTTPClientError | exceptions.ConnectionError | exceptions.IncompleteReadError,
    ) and not isinstance(error, exceptions.SSLError)


def explain(error: Exception, endpoint: Endpoint, place: Place | None, doing: str) -> NanosnakeError:
    """Return the error to raise.

    Args:
        error: what the library raised.
        endpoint: the server that was asked.
        place: what was asked for; None where that does not matter.
        doing: what was tried, as in "no right to ...": "write", "read", "list".
    """
    where = str(place) if place else endpoint.host
    return NanosnakeError(f"{where}: {describe(error, endpoint, place, doing)}")


def describe(error: Exception, endpoint: Endpoint, place: Place | None, doing: str) -> str:
    """Return the same words without the place."""
    if isinstance(error, ClientError):
        return _explain_answer(error, endpoint, place, doing)
    return _explain_silence(error, endpoint, doing)


def _explain_answer(error: ClientError, endpoint: Endpoint, place: Place | None, doing: str) -> str:
    code, status, host = code_of(error), status_of(error), endpoint.host
    bucket = place.bucket if place else "?"
    if code in _WRONG_KEYS:
        return f"{host} refuses the credentials ({code}): key or secret is wrong; set {_KEYS}"
    if code in _EXPIRED:
        return f"the credentials have expired ({code} from {host}); get new ones and run again"
    if code == "RequestTimeTooSkewed":
        return f"the clock of this machine differs from that of {host} ({code}); set it right"
    if code == "NoSuchBucket":
        return f"{host} has no bucket {bucket!r}; create it, or correct the s3:// URL in the configuration"
    if code in _NO_RIGHT:
        return f"no right to {doing} here ({code} from {host}); ask for it, {RIGHTS}"
    if code in _REGION:
        return f"the bucket is in another region ({code} from {host}); correct `region` in the configuration"
    if code in _NOT_THERE:
        return f"{host} has no such object; check the s3:// URL"
    if code in _FULL or status == 507:
        return f"the storage of {host} is full ({code}); free space and run again: only missing data is transferred"
    if code in _BUSY:
        return f"{host} is too busy ({code}), even after several attempts; run again later"
    if status >= 500:
        return (
            f"{host} failed to {doing} ({code or status}), even after several attempts; its disk may be full: "
            "look at its log, then run again"
        )
    return f"{host} refused to {doing} ({code}, {status}); look up the code in the server's documentation"


def _explain_silence(error: Exception, endpoint: Endpoint, doing: str) -> str:
    host = endpoint.host
    if isinstance(error, exceptions.ProfileNotFound):
        return "AWS_PROFILE names a profile that ~/.aws does not have; correct one of them"
    if isinstance(error, exceptions.PartialCredentialsError):
        return f"the credentials are not complete; set {_KEYS}"
    if isinstance(error, exceptions.NoCredentialsError):
        return f"no credentials were found; set {_KEYS}"
    if isinstance(error, _CREDENTIALS):
        return f"the credentials could not be fetched ({type(error).__name__}); log in again, or set {_KEYS}"
    if isinstance(error, exceptions.NoRegionError | exceptions.InvalidRegionError):
        return "no region, or none that exists; set `region` in the configuration or AWS_REGION"
    if isinstance(error, exceptions.SSLError):
        return f"the certificate of {host} cannot be verified; name your site's authority in AWS_CA_BUNDLE"
    if isinstance(error, exceptions.ProxyConnectionError):
        return f"the proxy did not connect to {host}; check HTTPS_PROXY and NO_PROXY"
    if isinstance(error, exceptions.ConnectTimeoutError | exceptions.EndpointConnectionError):
        return f"no connection to {host}: refused, or no such host; check `endpoint_url` and that the server runs"
    if isinstance(error, exceptions.HTTPClientError | exceptions.IncompleteReadError):
        return (
            f"the connection to {host} broke off; no half-written file has a final name: run again, and "
            "only what is missing is transferred"
        )
    return (
        f"cannot {doing} at {host} ({type(error).__name__}); check `endpoint_url`, `region` and the s3:// URL"
    )
