"""Tokens by their form, whoever made them: compact JWS (RFC 7515) and what this gateway hands out. Readable by every Python 3."""

import re

MASK = b"***"
# How the beginning of a token looks; nothing else is searched for in text that has none of these.
_JWS_BEGIN = b"eyJ"
# The same in base64, wherever in it the token begins; there a token is letters and digits alone.
_ENCODED_BEGINS = (b"ZXlK", b"V5Sm", b"leUp")
_OWN_BEGINS = (b"plw_", b"pls_", b"plr_")
_PART = rb"\.[A-Za-z0-9_-]{16,}"
_JWS = rb"eyJ[A-Za-z0-9_-]{13,}" + _PART + _PART
_ENCODED = rb"(?:ZXlK|V5SmhiR2NpT2|leUpoYkdjaU9p)[A-Za-z0-9]{60,}"
_OWN = rb"pl[wr]_[0-9a-f]{8}-[A-Za-z0-9._-]{27,}|pls_[A-Za-z0-9_-]{40,}"
_INSIDE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
# No form has fewer characters than this, all of them of those: one look for such a run spares a search for each form.
_SHORTEST = 40
_CLASSES = bytes(_INSIDE[0] if number in _INSIDE else 0 for number in range(256))
_RUN = _INSIDE[:1] * _SHORTEST
# What may be a token is held back no longer than this; a token is no longer than this either.
LONGEST = 16 * 1024


class TokenForms:
    """`jws`: tokens of any issuer too, not only of this gateway."""

    def __init__(self, jws):
        self._begins = (_JWS_BEGIN,) + _ENCODED_BEGINS + _OWN_BEGINS if jws else _OWN_BEGINS
        self._pattern = re.compile(b"|".join((_JWS, _ENCODED, _OWN)) if jws else _OWN)
        self._text = re.compile(self._pattern.pattern.decode("ascii"), re.ASCII)
        self._text_begins = tuple(begin.decode("ascii") for begin in self._begins)
        self._edges = frozenset(begin[:size] for begin in self._begins for size in (1, 2, 3))

    def in_text(self, text):
        """Whether the text may have a token, by a look that costs next to nothing."""
        return any(begin in text for begin in self._text_begins)

    def hide(self, text):
        return self._text.sub("***", text)

    def may_be_in(self, data):
        return _RUN in data.translate(_CLASSES) and any(begin in data for begin in self._begins)

    def hide_bytes(self, data):
        return self._pattern.sub(MASK, data)

    def begins_whole(self, data):
        """Whether the data begins with a whole token."""
        return self._pattern.match(data) is not None

    def open_at(self, data):
        """Where in the data that begins which may be a token and goes on; its length when nothing does."""
        line = data.rfind(b"\n") + 1
        begin = max(line, len(data[line:].rstrip(_INSIDE)) + line)
        found = [at for at in (data.find(one, begin) for one in self._begins) if at != -1]
        if found:
            return min(found)
        for size in (3, 2, 1):
            if data[-size:] in self._edges and len(data) - size >= begin:
                return len(data) - size
        return len(data)


class TokenMask:
    """Masks tokens in a stream of bytes. Holds back only what may be the beginning of one, and never much of it."""

    def __init__(self, forms):
        self._forms = forms
        self._held = b""
        self._inside = False

    def take(self, data):
        if self._inside:
            data = self._after_token(data)
        if self._held:
            data = self._held + data
        end = self._forms.open_at(data)
        self._held = data[end:]
        shown = data[:end] if self._held else data
        if self._forms.may_be_in(shown):
            shown = self._forms.hide_bytes(shown)
        return shown + self._give_up() if len(self._held) > LONGEST else shown

    def rest(self):
        shown, self._held, self._inside = self._forms.hide_bytes(self._held), b"", False
        return shown

    def _give_up(self):
        """What is this long is shown, but for a token: of that the mask, and nothing until it ends."""
        held, self._held = self._held, b""
        self._inside = self._forms.begins_whole(held)
        return MASK if self._inside else self._forms.hide_bytes(held)

    def _after_token(self, data):
        rest = data.lstrip(_INSIDE)
        self._inside = not rest
        return rest
