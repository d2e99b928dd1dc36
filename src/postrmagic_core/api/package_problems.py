"""Every code that the package itself answers with: its status, its title, what it means and what a client can do."""

from __future__ import annotations

from typing import TypeAlias

Row: TypeAlias = tuple[str, int, str, str]

_LATER = "Nothing was changed: send the request again shortly."
_SMALLER = "Send less; the detail says how much is read."

GENERAL: tuple[Row, ...] = (
    ("internal", 500, "The server failed", "A fault of the server, which has been recorded. Sending it again may help; "
     "if it does not, tell who runs the server the request_id."),
    ("not_found", 404, "Not found", "There is nothing here, or nothing that you may know of."),
    ("overloaded", 503, "Too much is asked for", "More is asked for than can be worked off. " + _LATER),
    ("response.too_slow", 503, "The answer took too long", "The server gave up on its own answer. A request that reads "
     "may be sent again; of one that writes, look first whether it took effect."),
    ("access_token.too_many", 409, "There are as many access tokens as there may be", "Revoke one that is not used "
     "any more, and send the request again."),
    ("authentication.required", 401, "Valid credentials are needed", "Nobody is logged in, or the credentials are "
     "wrong or have ended. Log in, and send the request again."),
    ("access.denied", 403, "You may not do this", "You are known, and lack the permission for this. Sending it again "
     "does not help; somebody else may give you the permission."),
    ("csrf.cross_site", 403, "The request came from another site", "A browser says that another site made this "
     "request, and such a request may change nothing. Do it from a page of this site."),
    ("csrf.token", 403, "The page's token is missing or old", "A request that a browser sends with cookies needs the "
     "token of its session. Load the page again, and repeat what you did."),
    ("cors.refused", 403, "Not allowed from another origin", "The page that asks is of another origin, and what it "
     "asks for is not open to it."),
    ("rate.limited", 429, "Too many requests", "The limit is used up. Retry-After says in how many seconds to send it "
     "again, RateLimit how you stand."),
    ("rate.full", 503, "All places are taken", "As many requests of this kind are under way as there may be. Send it "
     "again after what Retry-After says."),
    ("rate.unavailable", 503, "The limit cannot be checked", "It cannot be said now whether this is too much. " +
     _LATER),
)  # fmt: skip

BACKENDS: tuple[Row, ...] = (
    ("backend", 503, "A service behind the server failed", "A database or store did not do what was asked. Send the "
     "request again later."),
    ("backend.unavailable", 503, "A service behind the server is away", "A database or store cannot be reached. " +
     _LATER),
    ("backend.timeout", 503, "A service behind the server did not answer", "A database or store did not answer in "
     "time. " + _LATER),
    ("backend.read_only", 503, "Nothing can be written now", "The database takes no writes at present. " + _LATER),
    ("backend.pool_exhausted", 503, "No connection is free", "Every connection to the database is in use. " + _LATER),
    ("backend.conflict", 503, "Others changed the same at once", "Requests that change the same met, and this one gave "
     "way. " + _LATER),
    ("backend.out_of_space", 507, "There is no room left", "The server's disk or memory is full. Who runs it must make "
     "room."),
    ("backend.outcome_unknown", 503, "It is not known whether it took effect", "The answer to a write was cut off: it "
     "may have taken effect. Look before you send it again, or send it under the same Idempotency-Key."),
    ("backend.not_repeatable", 503, "It could not be done twice", "A conflict rolled the change back after something "
     "else had been done, such as a message sent. Look before you send it again."),
    ("backend.rejected", 503, "A service behind the server refused", "A database or store refused what the server "
     "asked of it. Sending it again does not help."),
    ("data.integrity", 409, "It does not fit what is stored", "A rule of the database refuses this: what it names is "
     "not there, or is still in use. Read the present state, and decide anew."),
    ("data.unique", 409, "There is one already", "A value that may be there only once is taken. Choose another."),
    ("data.last_holder", 409, "Somebody must hold this role", "Nobody would have this role any more. Give it to "
     "somebody else first."),
    ("fetch", 422, "The URL was not fetched", "What the URL names could not be had. Check the URL."),
    ("fetch.refused", 422, "The URL may not be fetched", "The URL leads nowhere, or where this server does not go. "
     "Give another."),
    ("fetch.failed", 422, "The URL's server did not answer rightly", "It was not reached, did not prove its name, or "
     "did not answer in HTTP. Check the URL, or try again later."),
    ("fetch.timeout", 422, "The URL's server took too long", "Its answer was not complete in time. Try again later."),
    ("fetch.too_large", 422, "What the URL names is too large", "It has more bytes than are read. Give another URL."),
)  # fmt: skip

REQUESTS: tuple[Row, ...] = (
    ("data.invalid", 422, "Some of what was sent is not valid", "Each entry of errors names a place by pointer (RFC "
     "6901), a code and a message. Put these right, and send it again."),
    ("data.too_large", 413, "The body is too large", "The body has more bytes than are read here. " + _SMALLER),
    ("data.too_slow", 408, "The body came too slowly", "The body did not arrive in the time it was given. Send it "
     "again over a better connection."),
    ("body.unsupported_type", 415, "The body is of no kind that is read here", "The Content-Type, or its charset, is "
     "none that this operation takes. The reference says which are."),
    ("request.malformed", 400, "The request is not well formed", "Its head can be read in more than one way, so it was "
     "not read at all. Mend the client, or the proxy before the server."),
    ("request.target_too_long", 414, "Path and query are too long", "They have more bytes than are read. " + _SMALLER),
    ("request.headers_too_large", 431, "The headers are too large", "There are too many headers, or they have too many "
     "bytes. Send fewer; cookies of this site that are not needed may be deleted."),
    ("csp_report.type", 415, "This is no type of report", "Reports come as application/reports+json or "
     "application/csp-report."),
    ("csp_report.invalid", 400, "This is no report", "The body is none of a report as browsers write it."),
    ("idempotency.required", 400, "An Idempotency-Key is needed", "This request must carry an Idempotency-Key, so that "
     "it can be sent again without doing it twice. Send a new UUID for each new operation."),
    ("idempotency.key", 400, "The Idempotency-Key is not well formed", "Send one key: a string of 1 to 255 printable "
     "ASCII characters."),
    ("idempotency.too_large", 413, "The body is too large to be compared", "With an Idempotency-Key the body is kept "
     "in mind to be compared. Send less, or leave the key out."),
    ("idempotency.mismatch", 422, "The Idempotency-Key was used for another request", "A key belongs to one request. "
     "Take a new key for a new one."),
    ("idempotency.in_flight", 409, "The first request is under way", "A request with this Idempotency-Key has not been "
     "answered yet. Send it again under the same key after what Retry-After says."),
    ("idempotency.done", 409, "It was carried out already", "The request with this Idempotency-Key was carried out; "
     "its response was not kept. Look at what it changed; original_status is what it was answered with, if known."),
    ("precondition.failed", 412, "It has changed since you read it", "The ETag in If-Match is not the present one. "
     "Read it again, decide anew, and send the new ETag."),
    ("precondition.required", 428, "If-Match is needed", "This change must say what it is based on. Read it, and send "
     "its ETag as If-Match (RFC 6585, section 3)."),
    ("version.unknown", 404, "There is no such version", "The API has other versions; the detail names them."),
    ("version.ended", 410, "This version has ended", "It is answered no more. Change over to a later version."),
    ("version.contradicted", 400, "Two versions are asked for", "The path says one version, the header API-Version "
     "another. Leave one of them out."),
    ("cursor.invalid", 422, "The cursor is not valid here", "A cursor is good for the list, the order and the filters "
     "it was given for. Begin at the first page."),
    ("bulk.too_many", 422, "Too many items at once", "There are more items than are taken in one request. Send them in "
     "several."),
    ("bulk.not_tried", 503, "This item was not tried", "Items before it took too long, or a service behind the server "
     "is away. Nothing was done with this one: send it again."),
)  # fmt: skip

# What a framework says by a status alone. The titles do not follow http.HTTPStatus, whose words differ by version.
PLAIN: tuple[Row, ...] = (
    ("http.400", 400, "Bad request", "The request cannot be understood. Mend it before you send it again."),
    ("http.401", 401, "Unauthorized", "This needs valid credentials."),
    ("http.403", 403, "Forbidden", "The request was understood, and is refused."),
    ("http.404", 404, "Not found", "There is nothing at this path. The reference lists the paths there are."),
    ("http.405", 405, "Method not allowed", "The path is right and the method is not. Allow lists those it has."),
    ("http.406", 406, "Not acceptable", "The answer comes in no form that Accept allows. Allow another."),
    ("http.408", 408, "Request timeout", "The request did not arrive in time. Send it again."),
    ("http.409", 409, "Conflict", "The request does not fit the present state. Read it, and decide anew."),
    ("http.410", 410, "Gone", "What was here is not any more, and does not come back."),
    ("http.411", 411, "Length required", "The body's length must be said beforehand, as Content-Length."),
    ("http.412", 412, "Precondition failed", "A condition in the request's headers does not hold."),
    ("http.413", 413, "Content too large", "The body has more bytes than are read here. Send less."),
    ("http.414", 414, "URI too long", "Path and query have more bytes than are read. Send less."),
    ("http.415", 415, "Unsupported media type", "The body is of a type that is not read here."),
    ("http.416", 416, "Range not satisfiable", "The file has no such range. Content-Range says how long it is."),
    ("http.417", 417, "Expectation failed", "What Expect asks for is not done here. Leave it out."),
    ("http.422", 422, "Unprocessable content", "What was sent is well formed, and cannot be used."),
    ("http.426", 426, "Upgrade required", "This needs another protocol, which Upgrade names."),
    ("http.428", 428, "Precondition required", "The request must say what it is based on, by If-Match."),
    ("http.429", 429, "Too many requests", "The limit is used up. Send it again after what Retry-After says."),
    ("http.431", 431, "Request header fields too large", "The headers have more bytes than are read. Send fewer."),
    ("http.500", 500, "Internal server error", "A fault of the server. Sending it again may help."),
    ("http.501", 501, "Not implemented", "The server does not do this at all."),
    ("http.502", 502, "Bad gateway", "A server behind this one answered wrongly. Send it again later."),
    ("http.503", 503, "Service unavailable", "The server cannot do this now. Send it again later."),
    ("http.504", 504, "Gateway timeout", "A server behind this one did not answer in time. Send it again later."),
)  # fmt: skip

ROWS: tuple[Row, ...] = GENERAL + BACKENDS + REQUESTS + PLAIN
