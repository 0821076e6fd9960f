"""Which RSA public keys may verify signatures: size, exponent, and no key of the ROCA family (RFC 7518 §3.3)."""

from __future__ import annotations

from typing import Final

_BITS: Final = range(2048, 8192 + 1)  # below: RFC 7518 §3.3; above: a verification would take long
_EXPONENTS: Final = range(3, 2**32, 2)

# Primes made by the flawed library are powers of 65537 modulo each of these, and so are products of two of them
# (CVE-2017-15361). One modulus in about 2**27 has the property by chance.
_SMALL_PRIMES: Final = tuple(n for n in range(3, 168) if all(n % d for d in range(2, n)))


def rsa_problem(modulus: int, exponent: int) -> str | None:
    """Why a key with these numbers must not be used, or None. The sentence holds nothing of the key."""
    if modulus.bit_length() not in _BITS:
        return f"an RSA key needs {_BITS[0]} to {_BITS[-1]} bits"
    if exponent not in _EXPONENTS or not modulus & 1:
        return "the RSA modulus or exponent is not odd and in range"
    if all(_is_power_of_65537(modulus, prime) for prime in _SMALL_PRIMES):
        return "the RSA modulus has the ROCA fingerprint (CVE-2017-15361)"
    return None


def _is_power_of_65537(number: int, prime: int) -> bool:
    # The powers of g are the subgroup of the order of g, and in a cyclic group those are the roots of x**order == 1.
    order = next(k for k in range(1, prime) if pow(65537, k, prime) == 1)
    return pow(number, order, prime) == 1
