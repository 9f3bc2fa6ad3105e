"""Tokens by their form, in whatever pieces they are printed."""

import base64
import os
import random
import string
import time

import pytest

from plumbline_luigi.events import EventLog
from plumbline_luigi.output_capture import OutputCapture
from plumbline_luigi.token_forms import LONGEST, TokenForms, TokenMask

PART = "abcDEF012_-" * 4
JWS = f"eyJ{PART}.{PART}.{PART}"
OWN = [
    f"plw_0b8f6a52-52a6-4a77-9a33-0a1d5f6a7b11.1.{'A' * 43}",
    f"pls_{'b-_' * 14}B",
    f"plr_0b8f6a52-52a6-4a77-9a33-0a1d5f6a7b11.1795277521733.{'c' * 43}",
]
ORDINARY = [
    "eyJ",
    "eyJhbGciOiJSUzI1NiJ9",
    "eyJhbGciOiJSUzI1NiJ9.short.parts",
    f"eyJ{PART}.{PART}",
    "pl",
    "plw_",
    "plr_regression_model_final_version_two_of_the_year",
    "pls_send",
    "a.b.c",
    "eye of the year",
    "V5Smart",
    "leUpper",
    "ZXlKaG",
    "ZXlK" + "a" * 40,
    "V5Sm" + "b" * 100,
]


def masked(pieces, jws=True):
    mask, shown = TokenMask(TokenForms(jws)), b""
    for piece in pieces:
        shown += mask.take(piece)
    return shown + mask.rest()


TOKEN = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (b'{"alg":"RS256","kid":"k"}', b"x" * 300, b"y" * 256))


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc", b"Authorization: Bearer ", b'{"token": "'])
@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_a_token_in_base64_is_masked_wherever_it_begins(before, size):
    text = base64.b64encode(before + TOKEN.encode() + b"!") + b" and more"
    shown = masked(pieces_of(text, size))
    assert b"***" in shown and shown.endswith(b" and more")
    assert len(shown) < len(before) * 2 + 30
    assert masked(pieces_of(text, size), jws=False) == text


def pieces_of(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("token", [JWS, *OWN])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 10_000])
@pytest.mark.parametrize("around", ["%s", "token=%s;", '{"t":"%s"}\n', "x%s\ny", "http://id:%s@host/", "%s %s", "eyJ pl plw_ %s"])
def test_a_token_is_masked_in_whatever_pieces(token, size, around):
    text = (around % ((token,) * around.count("%s"))).encode()
    expected = (around % (("***",) * around.count("%s"))).encode()
    assert masked(pieces_of(text, size)) == expected


@pytest.mark.parametrize(
    "shortest",
    [f"eyJ{'a' * 13}.{'b' * 16}.{'c' * 16}", f"ZXlK{'a' * 60}", f"plw_0b8f6a52-{'a' * 27}", f"pls_{'a' * 40}", f"plr_0b8f6a52-{'a' * 27}"],
)
def test_the_shortest_of_each_form_is_masked(shortest):
    assert masked([f"({shortest})".encode()]) == b"(***)" and masked([f"({shortest[:-1]})".encode()]) != b"(***)"


@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_what_is_none_stays_as_it_is(size):
    text = "\n".join([*ORDINARY, " ".join(ORDINARY)]).encode()
    assert masked(pieces_of(text, size)) == text


def test_pieces_make_no_difference():
    chance = random.Random(5)
    words = [JWS, base64.b64encode(TOKEN.encode()).decode(), *OWN, *ORDINARY, "\n", " ", "e", "ey", "p", ".", "-", JWS[:40], JWS[40:], OWN[0][:10]]
    for _ in range(3000):
        text = "".join(chance.choices(words, k=chance.randint(1, 8))).encode()
        whole = TokenForms(True).hide_bytes(text)
        pieces, rest = [], text
        while rest:
            size = chance.randint(1, 60)
            pieces.append(rest[:size])
            rest = rest[size:]
        assert masked(pieces) == whole, text


@pytest.mark.parametrize("line", ["ordinary", "eyJ then more", JWS])
def test_a_whole_line_is_never_held_back(line):
    mask = TokenMask(TokenForms(True))
    assert mask.take(line.encode() + b"\n") == TokenForms(True).hide_bytes(line.encode() + b"\n")


def test_little_is_held_back_and_only_what_may_be_a_token():
    mask = TokenMask(TokenForms(True))
    assert mask.take(b"a prompt: ") == b"a prompt: "
    assert mask.take(b"50 % e") == b"50 % " and mask.take(b"nough") == b"enough"
    shown = b"".join(mask.take(piece) for piece in pieces_of(b"eyJ" + b"a" * 100_000, 1000))
    assert len(shown) >= 100_003 - LONGEST - 1000


def test_a_token_longer_than_what_is_held_back_shows_nothing_of_its_end():
    text = b"see " + JWS.encode() + b"Z" * (3 * LONGEST) + b" end"
    assert masked(pieces_of(text, 1000)) == b"see *** end"


def test_only_runs_with_identities_mask_tokens_of_others():
    text = f"{JWS} {OWN[0]}".encode()
    assert masked([text], jws=False) == f"{JWS} ***".encode()


@pytest.mark.parametrize("jws", [True, False])
def test_events_have_none_either(tmp_path, jws):
    path = tmp_path / "events"
    path.touch()
    log = EventLog(str(path), ["quiet"], jws=jws)
    log.emit("status", task="T", message=f"{JWS} quiet", more=[{OWN[1]: OWN[2]}], status="DONE")
    text = path.read_text()
    assert ("eyJ" in text) is not jws and "quiet" not in text and "plr_" not in text and "pls_" not in text
    assert '"status":"DONE"' in text


def test_a_long_text_is_masked_before_it_is_cut(tmp_path):
    path = tmp_path / "events"
    path.touch()
    EventLog(str(path), jws=True).emit("failure", message="x" * 8000 + JWS * 3 + "y" * 100_000)
    assert "eyJ" not in path.read_text()


def test_text_of_beginnings_alone_takes_no_longer_than_other_text(tmp_path):
    path = tmp_path / "output"
    path.touch()
    capture = OutputCapture(str(path), 1 << 30, [], True)
    hard = [b"eyJ" * 21_000, b"eyJ." * 16_000, (JWS[:-20] + " ").encode() * 400, b"plw_" * 16_000, b"plw_0b8f6a52-" * 5_000]
    began = time.monotonic()
    for _ in range(20):
        for data in hard:
            os.write(capture._write, data[:60_000])
            capture.pump()
    # Six megabytes: with time that grows with the square it would take minutes.
    assert time.monotonic() - began < 20
    capture.enter_supervisor()
    capture.finish()


def test_letters_of_tokens_are_those_of_their_form():
    for character in string.printable:
        inside = character in string.ascii_letters + string.digits + "._-"
        assert (TokenForms(True).open_at(f"eyJ{character}".encode()) == 0) is inside, character
