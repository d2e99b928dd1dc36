"""What the clients ask for, as bytes; the same for both sides."""

from __future__ import annotations

from urllib.parse import quote_plus

LIST, SEARCH, UPLOAD = "list", "search", "upload"
OPERATIONS = (LIST, SEARCH, UPLOAD)
MEDIA = "/api/v1/media"
POSTER = "poster.jpeg"
WORDS = (
    "spring", "summer", "autumn", "winter", "jazz", "rock", "folk", "night", "day", "market", "fair", "film",
    "food", "wine", "dance", "city", "river", "garden", "harbour", "castle", "museum", "school", "theatre",
    "opera", "poetry", "science", "history", "travel", "family", "charity", "open", "late", "early", "grand",
    "little", "blue",
)  # fmt: skip
"""The words of the generated titles."""
_BOUNDARY = "7d1f0a5c3b"
# Of no common factor with the number of pairs: numbers that follow one another lead to words far apart.
_STRIDE = 797
_PAIRS = len(WORDS) * (len(WORDS) - 1)


def searched(number: int) -> str:
    """The search of this number, unlike every other's: two words that are looked for, and a number that is not."""
    at, other = divmod(number * _STRIDE % _PAIRS, len(WORDS) - 1)
    words = [*WORDS]
    return f"{words.pop(at)} {words[other]} -{number}"


def unlike(image: bytes, number: int) -> bytes:
    """A JPEG file of the same picture as ``image`` and of another hash: with a comment behind its first marker."""
    comment = b"%016d" % number
    return image[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + image[2:]


class Requests:
    """Requests of one operation by whoever has the cookie, each unlike those of other numbers where it must be."""

    def __init__(self, operation: str, cookie: str, image: bytes) -> None:
        self._image = image
        head = f"Host: library.example.org\r\nAccept: application/json\r\nCookie: {cookie}\r\n"
        if operation == UPLOAD:
            head += f"Sec-Fetch-Site: same-origin\r\nContent-Type: multipart/form-data; boundary={_BOUNDARY}\r\n"
        self._head = head
        self.of = {LIST: self._list, SEARCH: self._search, UPLOAD: self._upload}[operation]

    def _list(self, _: int) -> bytes:
        return f"GET {MEDIA} HTTP/1.1\r\n{self._head}\r\n".encode()

    def _search(self, number: int) -> bytes:
        return f"GET {MEDIA}?q={quote_plus(searched(number))} HTTP/1.1\r\n{self._head}\r\n".encode()

    def _upload(self, number: int) -> bytes:
        part = (
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="harbour-{number}.jpeg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        body = part.encode() + unlike(self._image, number) + f"\r\n--{_BOUNDARY}--\r\n".encode()
        return f"POST {MEDIA} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n".encode() + body
