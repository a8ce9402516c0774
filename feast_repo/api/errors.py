"""What the API refuses, as it is answered: a status and one text that says what to do."""

from __future__ import annotations


class Refused(Exception):
    """A request that is not answered with features.

    status: of HTTP. detail: the text of the answer. reason: what the metric of rejections counts
    it as, one of a few words. retry_after_s: when the same request may succeed.
    """

    def __init__(
        self, status: int, reason: str, detail: str, *, retry_after_s: int | None = None
    ) -> None:
        """See the class."""
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers: dict[str, str] = {}
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(retry_after_s)
        if status == 401:
            self.headers["WWW-Authenticate"] = "Bearer"


def unauthorized() -> Refused:
    """The one answer to whoever shows no key that counts, whatever is wrong with it."""
    return Refused(
        401,
        "unauthorized",
        "send a key of api.create_api_key() that is in force: Authorization: Bearer <key>",
    )


def unavailable(reason: str, what: str) -> Refused:
    """Something that this process needs does not answer."""
    return Refused(503, reason, f"{what}; try again in a second", retry_after_s=1)
