"""Answers of HTTP, whole, cut and garbled, in whatever pieces they come."""

import random

import pytest

from plumbline_luigi.http_answer import AnswerReader, BadAnswer, CutAnswer

BODY = b'{"a": "\r\n\r\n0\r\n"}'
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n%b\r\n%x\r\n%b\r\n0\r\nTrailer: t\r\n\r\n" % (
    BODY[:5],
    len(BODY) - 5,
    BODY[5:],
)
CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + BODY


def read(data, sizes=(1 << 20,), most=1000):
    rest, at = [data], [0]

    def receive():
        size = sizes[at[0] % len(sizes)]
        at[0] += 1
        part, rest[0] = rest[0][:size], rest[0][size:]
        return part

    return AnswerReader(receive, most).read()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("data", "goes_on"), [(LENGTH, True), (CHUNKED, True), (CLOSED, False)])
def test_an_answer_is_the_same_in_whatever_pieces(data, goes_on, size):
    answer = read(data, (size,))
    assert (answer.status, answer.body, answer.goes_on) == (200, BODY, goes_on)


@pytest.mark.parametrize("data", [LENGTH, CHUNKED])
def test_an_answer_that_is_cut_anywhere_is_never_taken_for_a_whole_one(data):
    for end in range(len(data)):
        with pytest.raises(CutAnswer):
            read(data[:end])


@pytest.mark.parametrize("data", [LENGTH, CHUNKED, CLOSED])
def test_no_body_is_larger_than_allowed(data):
    assert read(data, most=len(BODY)).body == BODY
    with pytest.raises(BadAnswer):
        read(data, most=len(BODY) - 1)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.0 200 OK",
        b"HTTP/2 200",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 2000 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\nno colon",
        b"HTTP/1.1 200 OK\r\nName : x",
        b"HTTP/1.1 200 OK\r\n folded: x",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 1",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000 + b"C: d",
    ],
    ids=lambda head: repr(head[:60]),
)
def test_what_is_no_head_of_ours_is_refused(head):
    with pytest.raises(BadAnswer):
        read(head + b"\r\n\r\nx" + b"y" * 70_000, most=1 << 20)


def test_bytes_after_the_answer_end_the_connection():
    assert read(LENGTH + b"HTTP/1.1 200 OK").goes_on is False


def test_garbled_answers_are_answers_or_errors_of_these_kinds():
    chance = random.Random(11)
    for _ in range(20_000):
        data = bytearray(chance.choice([LENGTH, CHUNKED, CLOSED]))
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.choice(b"\r\n 0:aF\xff\x00" + bytes([chance.randrange(256)]))
        try:
            answer = read(bytes(data), [chance.randint(1, 50)])
        except (BadAnswer, CutAnswer):
            continue
        assert 200 <= answer.status < 600 and len(answer.body) <= 1000
