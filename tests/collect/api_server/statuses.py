"""Answers that say what went wrong: `Status` objects as kube-apiserver words them (apimachinery api/errors)."""

from __future__ import annotations

from typing import Any

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "AlreadyExists",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
UNKNOWN_PATH = "the server could not find the requested resource"
EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)
_MESSAGES = {
    401: "Unauthorized",
    404: UNKNOWN_PATH,
    410: EXPIRED,
    429: "too many requests, please try again later",
    500: "an error on the server prevented the request from succeeding",
    503: "the server is currently unable to handle the request",
    504: "the server was unable to return a response in the time allotted, but may still be processing the request",
}


class ApiError(Exception):
    """A request that ends in a `Status`."""

    def __init__(
        self,
        code: int,
        message: str = "",
        *,
        details: dict[str, Any] | None = None,
        token: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.body = status(code, message, details=details, token=token)


def status(
    code: int, message: str = "", *, details: dict[str, Any] | None = None, token: str = ""
) -> dict[str, Any]:
    """Return a failure; `token` is the continue token that goes on with an inconsistent list."""
    failure: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {"continue": token} if token else {},
        "status": "Failure",
        "message": message or _MESSAGES.get(code, ""),
        "reason": _REASONS.get(code, ""),
        "code": code,
    }
    if code == 429:
        failure["details"] = {"retryAfterSeconds": 1}
    if details:
        failure["details"] = details
    return failure


def not_found(qualified: str, name: str) -> ApiError:
    plural, _, group = qualified.partition(".")
    details = {"name": name, "kind": plural} | ({"group": group} if group else {})
    return ApiError(404, f'{qualified} "{name}" not found', details=details)
