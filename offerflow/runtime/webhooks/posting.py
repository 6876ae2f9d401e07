"""One request to one endpoint, and what came of it as a value: nothing a receiver does is an exception here.

1. resolve the name and judge every address (offerflow.runtime.webhooks.resolving);
2. connect to one of the judged addresses by number, so that nothing resolves the name a second time;
3. post; redirects, proxies and cookies do not exist;
4. wait for the head of the answer, then read a little of the body and drop the rest.

A 2xx whose body breaks off is a failure, since whoever was answering has died over it and the same id comes again; a
2xx whose body never ends is delivered, since the receiver has spoken and goes on speaking.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from types import SimpleNamespace

import aiohttp

from offerflow.runtime.errors import ConfigError
from offerflow.runtime.settings import WebhookSettings
from offerflow.runtime.webhooks.answer import GONE, Answer, Reason, excerpt, retry_after
from offerflow.runtime.webhooks.resolving import Forbidden, Resolver, Unresolved
from offerflow.runtime.webhooks.target import BadUrl, Target, parse_target

BODY_LIMIT = 16 * 1024
ADDRESSES_TRIED = 4
KEPT_S = 4.0
"""Connections are kept for so long: many servers close theirs after five seconds."""
_STALE_TRIES = 3
_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"offerflow/{version('offerflow')}",
    "Accept-Encoding": "identity",
}


class Poster:
    """Made inside a running event loop; ``close`` when done. ``clock`` gives milliseconds since 1970."""

    def __init__(
        self, settings: WebhookSettings, resolver: Resolver | None = None,
        clock: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:  # fmt: skip
        self._settings = settings
        self._resolver = resolver or Resolver(settings.networks())
        self._clock = clock
        self._targets: dict[str, Target] = {}
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_reused)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=_tls(settings), keepalive_timeout=KEPT_S, use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False, trace_configs=[trace],
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_s),
        )  # fmt: skip

    async def close(self) -> None:
        await self._session.close()
        self._resolver.close()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post once. Takes at most the three time-outs of the settings together, and is cancelled safely."""
        began = time.perf_counter()
        outcome = await self._post(url, headers, body)
        return outcome(round((time.perf_counter() - began) * 1000))

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Callable[[int], Answer]:
        settings = self._settings
        try:
            target = self._target(url)
            async with asyncio.timeout(settings.connect_s):
                addresses = await self._resolver.addresses(target)
        except BadUrl as error:
            return _failed("url", str(error))
        except Forbidden as error:
            return _failed("forbidden", str(error))
        except Unresolved as error:
            return _failed("name", str(error))
        except TimeoutError:
            return _failed("name", f"the name server gave no address within {settings.connect_s:g} s")
        failure = _failed("connect", "no address was tried")
        try:
            async with asyncio.timeout(settings.answer_s):
                for address in addresses[:ADDRESSES_TRIED]:
                    try:
                        response = await self._send(target, address, headers, body)
                        break
                    except aiohttp.ClientConnectorCertificateError as error:
                        return _failed("tls", f"{address}: {error.certificate_error}")
                    except aiohttp.ClientConnectorSSLError as error:
                        return _failed("tls", f"{address}: {error.os_error}")
                    except aiohttp.ConnectionTimeoutError:
                        failure = _failed("timeout", f"no connection to {address} within {settings.connect_s:g} s")
                    except aiohttp.ClientConnectorError as error:
                        failure = _failed("connect", f"{address}:{target.port}: {_said(error.os_error)}")
                else:
                    return failure
        except TimeoutError:
            return _failed("timeout", f"no answer within {settings.answer_s:g} s")
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientPayloadError) as error:
            return _failed("broken", f"the connection was closed before an answer ({_said(error)})")
        except (aiohttp.ClientError, ValueError) as error:
            return _failed("protocol", f"what came back is not HTTP: {_said(error)}")
        return await self._judged(response)

    def _target(self, url: str) -> Target:
        target = self._targets.get(url)
        if target is None:
            target = self._targets[url] = parse_target(url, self._settings)
        return target

    async def _send(
        self, target: Target, address: str, headers: Mapping[str, str], body: bytes
    ) -> aiohttp.ClientResponse:
        """The answer's head. A kept connection that the receiver has just closed is no failure: another is taken."""
        for left in reversed(range(_STALE_TRIES)):
            reuse = SimpleNamespace(reused=False)
            try:
                return await self._session.post(
                    target.at(address), data=body, headers={**_HEADERS, **headers, "Host": target.authority},
                    allow_redirects=False, trace_request_ctx=reuse,
                    server_hostname=target.host if target.secure and not target.literal else None,
                )  # fmt: skip
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
                if not (reuse.reused and left):
                    raise
        raise AssertionError("the loop returns or raises")

    async def _judged(self, response: aiohttp.ClientResponse) -> Callable[[int], Answer]:
        status = response.status
        good = 200 <= status < 300
        begun, note = bytearray(), ""
        try:
            async with asyncio.timeout(self._settings.body_s):
                while chunk := await response.content.read(BODY_LIMIT):
                    begun += chunk
                    if len(begun) > BODY_LIMIT:
                        note = f"the rest of a body beyond {BODY_LIMIT // 1024} KiB was not read"
                        break
        except TimeoutError:
            note = f"the body did not end within {self._settings.body_s:g} s and was dropped"
        except (aiohttp.ClientError, ValueError):
            if good:
                return _failed("broken", f"answered {status} and broke off before the end of the body", status)
        finally:
            response.close() if note or not good else response.release()
        if good:
            return lambda ms: Answer("delivered", ms, status, "", note)
        said = excerpt(bytes(begun))
        if status == GONE:
            return lambda ms: Answer("gone", ms, status, "status", said)
        if 300 <= status < 400 and (where := response.headers.get("Location")):
            return _failed("redirect", f"redirects to {excerpt(where.encode())}", status)
        wait = retry_after(response.headers.get("Retry-After"), self._clock())
        return lambda ms: Answer("failed", ms, status, "status", said, wait)


async def _reused(session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
    """A request goes out on a connection that was kept."""
    context.trace_request_ctx.reused = True


def _failed(reason: Reason, detail: str, status: int | None = None) -> Callable[[int], Answer]:
    return lambda ms: Answer("failed", ms, status, reason, detail)


def _said(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientResponseError):
        return error.message.splitlines()[0].rstrip(":")
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _tls(settings: WebhookSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(settings.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"OFFERFLOW_WEBHOOKS__CA_FILE={settings.ca_file} cannot be used: {error}") from None
    return context
