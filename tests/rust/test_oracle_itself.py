"""The oracle on examples that can be worked out by hand, and against tiktoken."""

import tiktoken

import oracle

TEXT = "the cat sat on the mat, the cat's hat; don't touch 12345 of 'em!\n\n  Ça va ? 한국어 👩‍💻 end  "


def test_pretokens_of_the_known_patterns() -> None:
    assert oracle.split("I'll take 123 now", "gpt2") == [b"I", b"'ll", b" take", b" 123", b" now"]
    assert oracle.split("I'LL take 12345", "gpt4") == [b"I", b"'LL", b" take", b" ", b"123", b"45"]
    assert oracle.split("I'LL take 12345", "nanochat") == [b"I", b"'LL", b" take", b" ", b"12", b"34", b"5"]
    assert oracle.split("aB I'LL", "gpt4o") == [b"a", b"B", b" I'LL"]
    for pattern in oracle.PATTERNS:
        assert b"".join(oracle.split(TEXT, pattern)) == TEXT.encode()


def test_merges_worked_out_by_hand() -> None:
    # Sennrich et al. 2016, without the mark at the end of a word
    counts = {b"low": 5, b"lower": 2, b"newest": 6, b"widest": 3}
    merges = oracle.train(counts, 4)
    assert merges == [
        (ord("e"), ord("s"), 9),
        (256, ord("t"), 9),
        (ord("l"), ord("o"), 7),
        (258, ord("w"), 7),
    ]
    assert oracle.token_bytes(merges)[256:] == [b"es", b"est", b"lo", b"low"]


def test_overlapping_pairs_are_counted_each_and_merged_from_the_left() -> None:
    a = ord("a")
    assert oracle.train({b"aaaaa": 1}, 9) == [(a, a, 4), (256, a, 1), (256, 257, 1)]


def test_the_document_that_crosses_the_limit_is_the_last() -> None:
    assert oracle.limit(["ab", "cd", "ef", "gh"], max_chars=3) == ["ab", "cd"]
    assert oracle.limit(["ab", "cd", "ef", "gh"], max_chars=4) == ["ab", "cd", "ef"]
    assert oracle.limit(["abc", "de", "fgh"], doc_cap=2, max_chars=3) == ["ab", "de"]
    assert oracle.limit(["ab"], max_chars=0) == ["ab"]


def test_ids_are_those_of_tiktoken() -> None:
    for pattern, regex in oracle.PATTERNS.items():
        tokens = oracle.token_bytes(oracle.train(oracle.count([TEXT, TEXT[5:40]], pattern), 60))
        ranks = {token: rank for rank, token in enumerate(tokens)}
        encoding = tiktoken.Encoding("test", pat_str=regex, mergeable_ranks=ranks, special_tokens={})
        for text in (TEXT, TEXT * 3, "cat\u00a0" + TEXT[::-1]):
            ids = oracle.encode(text, tokens, pattern)
            assert ids == encoding.encode_ordinary(text)
            assert oracle.decode(ids, tokens) == text.encode()
