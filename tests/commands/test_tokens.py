"""`nanosnake encode`, `decode`, `show` and `compare`, as a user calls them."""

from __future__ import annotations

import io
import os
import random
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nanosnake.commands.__main__ import COMMANDS, main
from nanosnake.commands.subject import find
from nanosnake.commands.texts import pieces, read_text
from nanosnake.files import NanosnakeError

TEXT = "The river — 東京 🐍\n\n  def f(x):\n\treturn x<|bos|>\r\nEnd"


def nanosnake(*words: str, feed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "nanosnake.commands", *words]
    return subprocess.run(command, input=feed, capture_output=True, timeout=120, check=False)


@pytest.mark.parametrize("form", ["text", "uint16"])
def test_what_is_encoded_is_decoded_through_pipes(form: str) -> None:
    encoded = nanosnake("encode", "gpt2", "--format", form, feed=TEXT.encode())
    assert encoded.returncode == 0, encoded.stderr
    assert nanosnake("decode", "gpt2", "--format", form, feed=encoded.stdout).stdout == TEXT.encode()


def test_lines_are_texts_of_their_own(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("one\n\nthree\n")
    assert main(["encode", "gpt2", str(file), "--lines", "--begin"]) == 0
    printed = capfdbinary.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()] == [b"50256"] * 3
    (tmp_path / "ids").write_bytes(printed)
    assert main(["decode", "gpt2", str(tmp_path / "ids"), "--lines"]) == 0
    assert capfdbinary.readouterr().out.replace(b"<|endoftext|>", b"") == file.read_bytes()


@pytest.mark.parametrize("name", ["gpt2", "cl100k_base", "o200k_base"])
def test_pieces_have_the_tokens_of_the_whole(name: str) -> None:
    subject = find(name)
    words = ["a", "B", "\n", "\n", "\r", " ", "!", "1", "/", "é", "\t", "'s", "x\nA", "\u2028", "。\nB"]
    for seed in range(100):
        text = "".join(random.Random(seed).choices(words, k=400))
        blocks = iter([text[i : i + 50] for i in range(0, len(text), 50)])
        found = [piece for some in pieces(blocks, cut=True, size=20) for piece in some]
        assert len(found) > 2
        (whole,) = subject.encode([text], 1)
        assert [number for ids in subject.encode(found, 1) for number in ids] == whole, seed


def test_a_character_may_lie_across_two_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nanosnake.commands.texts.BLOCK", 3)
    assert "".join(read_text(io.BytesIO(TEXT.encode()), "t")) == TEXT
    with pytest.raises(NanosnakeError, match=r"t: byte 4 \(0xe9\) is not UTF-8"):
        list(read_text(io.BytesIO(b"cafe\xe9xxxx"), "t"))


def test_integers_are_what_they_are_called(tmp_path: Path) -> None:
    file = tmp_path / "ids"
    assert main(["encode", "gpt2", str(_text(tmp_path)), "--format", "uint32", "--output", str(file)]) == 0
    assert np.fromfile(file, "<u4").tolist() == find("gpt2").encode([TEXT], 1)[0]


def _text(folder: Path) -> Path:
    (folder / "t.txt").write_bytes(TEXT.encode())
    return folder / "t.txt"


def test_show_and_compare(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "gpt2", "Hello world"]) == 0
    assert (
        capsys.readouterr().out == "Hello|␣world\n15496 995\ngpt2: 2 tokens, 11 bytes, 5.50 bytes per token\n"
    )
    assert main(["compare", "gpt2", "cl100k_base", "Hello world", "    x"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1] == ["'Hello", "world'", "11", "2", "2", "+0.0%"]
    assert rows[3][0] == "all"


def test_compare_takes_files_to_the_byte(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "crlf.txt").write_bytes(b"a\r\nb\r\n")
    assert main(["compare", "gpt2", "gpt2", "--files", str(tmp_path / "crlf.txt")]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["crlf.txt", "6", "6", "6", "+0.0%"]
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(NanosnakeError, match=r"latin.txt: byte 3 \(0xe9\) is not UTF-8"):
        main(["compare", "gpt2", "gpt2", "--files", str(tmp_path / "latin.txt")])


def test_a_wrong_name_is_told_what_would_do() -> None:
    ended = nanosnake("encode", "nothing")
    assert ended.returncode == 1
    assert ended.stderr.startswith(b"nanosnake: error: nothing: is neither a folder with tokenizer.tiktoken")


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    overview = capsys.readouterr().out
    for name in COMMANDS:
        assert f"    {name} " in overview
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert f"    nanosnake {name}" in capsys.readouterr().out, "no example"


def test_files_are_compared_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Python's own text files make a line feed of each CR and CRLF."""
    (tmp_path / "windows.txt").write_bytes(b"one\r\ntwo\r\n")
    assert main(["compare", "gpt2", "gpt2", "--files", str(tmp_path / "windows.txt")]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["windows.txt", "10"]
    (tmp_path / "latin1.txt").write_bytes(b"caf\xe9")
    with pytest.raises(NanosnakeError, match=r"latin1\.txt: byte 3 \(0xe9\) is not UTF-8"):
        main(["compare", "gpt2", "gpt2", "--files", str(tmp_path / "latin1.txt")])


def test_a_device_stays_a_device(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`--output /dev/null` as root was a file in the place of the device."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    with os.fdopen(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        assert main(["encode", "gpt2", str(_text(tmp_path)), "--output", str(pipe)]) == 0
        written = reader.read()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    link.symlink_to(tmp_path / "ids")
    assert main(["encode", "gpt2", str(_text(tmp_path)), "--output", str(link)]) == 0
    assert link.is_symlink()
    capfd.readouterr()
    assert main(["encode", "gpt2", str(_text(tmp_path)), "--output", "-"]) == 0
    assert written == link.read_bytes() == capfd.readouterr().out.encode()


def test_texts_do_not_decide_between_models(tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text("{}")
    with pytest.raises(NanosnakeError, match="leave out texts and --files"):
        main(["compare", str(tmp_path), str(tmp_path), "a text"])


@pytest.mark.parametrize("number", ["-1", "4294967296", "9" * 30])
def test_a_number_that_no_id_can_be(tmp_path: Path, number: str) -> None:
    (tmp_path / "ids").write_text(f"1 {number} 2")
    with pytest.raises(NanosnakeError, match=f"ids: {number} is no tokenizer's id"):
        main(["decode", "gpt2", str(tmp_path / "ids")])


def test_integers_have_no_lines(tmp_path: Path) -> None:
    with pytest.raises(NanosnakeError, match="--lines is for ids in text, and --format is uint16"):
        main(["decode", "gpt2", str(_text(tmp_path)), "--lines", "--format", "uint16"])


def test_texts_and_a_file_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.txt").write_text("from a file")
    assert main(["show", "gpt2", "Hello world", "--file", str(tmp_path / "t.txt")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert (printed[0], printed[3]) == ("Hello|␣world", "from|␣a|␣file")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["encode", "gpt2", "--threads", "-1"], "--threads is -1; use 0 or more"),
        (["show", "gpt2", "Hello world", "--most", "-1"], "--most is -1; use 0 or more"),
        (["track", "run", "--to", "wandb", "--every", "-1"], "--every is -1.0; use more than 0"),
    ],
)
def test_bounds_of_options(words: list[str], said: str) -> None:
    with pytest.raises(NanosnakeError, match=said):
        main(words)


@pytest.mark.parametrize("words", [["show", "gpt2"], ["compare", "gpt2", "gpt2"]])
def test_a_text_that_is_not_utf8(words: list[str]) -> None:
    ended = nanosnake(*words, "caf\udce9")
    assert (ended.returncode, ended.stderr.count(b"\n")) == (1, 1)
    assert b"error: 'caf\\udce9': is not UTF-8" in ended.stderr
