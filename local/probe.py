"""The readiness probe of programs that speak HTTP."""

import httpx2


def http_ok(url: str) -> bool:
    """Whether a GET is answered with 200 within two seconds."""
    try:
        return httpx2.get(url, timeout=2, trust_env=False).status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False
