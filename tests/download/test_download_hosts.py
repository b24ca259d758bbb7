"""Redirects, the token, and what may be written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from download.conftest import PATH, TOKEN, Bench
from download.stand_in import SIGNATURE, Server, change, cut, send_instead, status
from nanosnake.files import NanosnakeError
from nanosnake.sources.download import hosts


def authorizations(server: Server) -> list[str | None]:
    return [request.headers.get("Authorization") for request in server.requests]


def assert_no_secrets(bench: Bench, log: str) -> None:
    """Neither the token nor a signature stands in the log or in any file."""
    texts = [log.encode(), *(path.read_bytes() for path in bench.folder.iterdir())]
    for text in texts:
        assert TOKEN.encode() not in text
        assert SIGNATURE.encode() not in text


def test_the_token_goes_to_the_named_host_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", bench.origin.address)
    bench.storage.faults.extend([cut(1000), status(403), status(503)])
    bench.download()
    assert authorizations(bench.origin) == [f"Bearer {TOKEN}"] * 4
    assert authorizations(bench.storage) == [None] * 4
    assert_no_secrets(bench, capsys.readouterr().err)


def test_a_partial_file_holds_no_secret(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", bench.origin.address)
    bench.storage.faults.extend([cut(1000), *[status(503)] * 9])
    message = bench.refusal(url=f"{bench.url}?X-Amz-Signature={SIGNATURE}")
    assert bench.names() == [".shard_00007.parquet.part", ".shard_00007.parquet.part.json"]
    assert_no_secrets(bench, capsys.readouterr().err + message)


def test_the_query_of_a_signed_url_is_not_written_down(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.origin.direct = True
    bench.download(url=f"{bench.url}?X-Amz-Signature={SIGNATURE}")
    assert bench.origin.requests[0].path == f"{PATH}?X-Amz-Signature={SIGNATURE}"
    assert bench.metadata["url"] == bench.url
    assert_no_secrets(bench, capsys.readouterr().err)


@pytest.mark.parametrize("endpoint", ["", "http://127.0.0.1:9", "https://huggingface.co"])
def test_no_other_host_sees_the_token(bench: Bench, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    bench.download()
    assert authorizations(bench.origin) == authorizations(bench.storage) == [None]


def test_a_redirect_to_the_tokens_host_does_not_earn_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the host that the user's URL names gets it, even if a redirect leads to the endpoint."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", bench.storage.address)
    bench.download()
    assert authorizations(bench.storage) == [None]


def test_a_redirect_on_the_same_host_keeps_the_token(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """So do renamed datasets; the path of the redirect is relative."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", bench.origin.address)
    old = "/datasets/ns/old/resolve/main/data/shard_00007.parquet"
    bench.origin.content[old] = b""
    bench.origin.faults.append(
        send_instead(b"", code=307, Location=PATH, X_Linked_ETag="", X_Linked_Size="", X_Repo_Commit="")
    )
    bench.download(url=bench.origin.address + old)
    assert authorizations(bench.origin) == [f"Bearer {TOKEN}"] * 2
    assert authorizations(bench.storage) == [None]


def test_a_netrc_is_not_used(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    bench.download()
    assert authorizations(bench.origin) == authorizations(bench.storage) == [None]


def test_a_token_that_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("HF_ENDPOINT", bench.origin.address)
    bench.origin.faults.extend([status(401), status(403, X_Error_Code="GatedRepo")])
    message = bench.refusal()
    assert "refused HF_TOKEN (401): it may have expired" in message
    assert TOKEN not in message
    assert "(the one that is set was refused)" in bench.refusal()


@pytest.mark.parametrize("token", [f"{TOKEN}\nX-Injected: 1", f"{TOKEN} x", f"{TOKEN}é"])
def test_a_token_that_is_none(bench: Bench, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """requests would show it whole in its own error."""
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setenv("HF_ENDPOINT", bench.origin.address)
    message = bench.refusal()
    assert (
        message == "HF_TOKEN holds characters that cannot be in a token (it is not shown here); set it again"
    )
    assert bench.origin.requests == []


def test_a_token_with_a_newline_at_its_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}\n")
    monkeypatch.setenv("HF_ENDPOINT", f"{bench.origin.address}/")
    bench.download()
    assert authorizations(bench.origin) == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://host/a.parquet", "the URL has the scheme 'ftp'; only https and http are followed"),
        ("/data/a.parquet", "the URL has the scheme ''"),
        ("https:///a.parquet", "the URL names no host"),
        ("https://me:secret@host/a.parquet", "the URL carries a user name or password"),
        ("https://host:port/a.parquet", "the URL is not a URL"),
    ],
)
def test_urls_that_are_not_asked(bench: Bench, url: str, words: str) -> None:
    assert words in bench.refusal(url=url)
    assert not bench.folder.exists()


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("ftp://127.0.0.1/a.parquet", "has the scheme 'ftp'"),
        ("file:///etc/passwd", "has the scheme 'file'"),
        ("http://me:word@127.0.0.1/a", "carries a user name or password"),
        ("https:///a", "names no host"),
    ],
)
def test_redirects_that_are_not_followed(bench: Bench, location: str, words: str) -> None:
    bench.origin.faults.append(change(Location=location))
    message = bench.refusal()
    assert f"the redirect of {bench.origin.address.removeprefix('http://')} {words}" in message
    assert bench.storage.requests == []


def test_from_https_to_http() -> None:
    with pytest.raises(NanosnakeError, match="redirects from https to http"):
        hosts.next_hop("https://huggingface.co/a", "http://huggingface.co/b")
    allowed = hosts.next_hop("https://huggingface.co/a", "http://huggingface.co/b", allow_http=True)
    assert allowed == "http://huggingface.co/b"
    assert hosts.next_hop("http://host/a/b", "c?d=e") == "http://host/a/c?d=e"
    assert hosts.next_hop("http://host/a", "https://other/b") == "https://other/b"


def test_a_host_whose_certificate_nobody_vouches_for_is_not_believed(secure: Bench) -> None:
    assert "certificate" in secure.refusal("--retries", "0")
    assert secure.origin.requests == []
    secure.origin.errors.clear()  # the handshake that was broken off


def test_a_host_that_redirects_from_https_to_http(secure: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.origin.certificate))
    message = secure.refusal()
    assert "redirects from https to http (127.0.0.1)" in message
    assert "allow_http_redirects" in message
    assert secure.storage.requests == []
    secure.download("--allow-http-redirects")
    assert len(secure.storage.requests) == 1


def test_a_circle_of_redirects(bench: Bench) -> None:
    bench.origin.faults.extend([change(Location=PATH)] * 20)
    assert "leads through more than 10 redirects" in bench.refusal()
    assert len(bench.origin.requests) == 11


def test_the_token_of_hugging_face() -> None:
    environment = {"HF_TOKEN": TOKEN}
    token = hosts.HostToken("https://huggingface.co/datasets/a/b/resolve/main/c", environment)
    assert token.goes_to("https://huggingface.co/other")
    assert token.goes_to("https://HUGGINGFACE.co:443/other")
    for url in (
        "http://huggingface.co/other",
        "https://huggingface.co:8443/other",
        "https://huggingface.co.evil.org/other",
        "https://cdn.huggingface.co/other",
        "https://cas-bridge.xethub.hf.co/other",
    ):
        assert not token.goes_to(url)
        assert not hosts.HostToken(url, environment).goes_to(url)
    assert TOKEN not in repr(token)
