"""American odds: what they pay, and how often a side must win to pay for itself."""

from __future__ import annotations

__all__ = ["break_even", "no_vig_over", "profit_if_won"]

_EVEN = 100.0


def profit_if_won(price: float) -> float:
    """What one unit staked wins: 1.2 at +120, 0.909 at −110."""
    return price / _EVEN if price > 0 else _EVEN / -price


def break_even(price: float) -> float:
    """The share (0..1) of bets that must win at this price for nothing to be lost."""
    return 1.0 / (1.0 + profit_if_won(price))


def no_vig_over(over_price: float, under_price: float) -> float:
    """The probability (0..1) of over that both prices imply once the margin is taken out in
    proportion."""
    over, under = break_even(over_price), break_even(under_price)
    return over / (over + under)
