"""The jobs of the demo: an invented shop. What they do is sleep a little."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from cuckmq.attempt import Attempt
from cuckmq.cli.demo.journal import Journal
from cuckmq.context import Context
from cuckmq.definition import JobDefinition
from cuckmq.outcome import Fail

NUM_ACCOUNTS: Final = 40
REPORT_SECS: Final = 1.5


class Image(BaseModel):
    """What a thumbnail is made of."""

    number: int
    width: int


class Payment(BaseModel):
    """What is charged; one at a time for each account."""

    account: int
    cents: int


class Mail(BaseModel):
    """What is sent.

    Attributes:
        to: whom; who has no `@` cannot be reached.
        num_outages: how often the mail server is down when this one comes.
    """

    to: str
    num_outages: int = 0


class Month(BaseModel):
    """What a report is about."""

    year: int
    month: int


class Shop(NamedTuple):
    """The definitions."""

    thumbnail: JobDefinition[Image, int]
    charge: JobDefinition[Payment, int]
    mail: JobDefinition[Mail, None]
    report: JobDefinition[Month, str]
    sweep: JobDefinition[None, None]


def open_shop(context: Context, journal: Journal) -> Shop:
    """Define the jobs in a context, and have their runs written down."""

    @context.job(name="THUMBNAIL")
    async def thumbnail(image: Image, attempt: Attempt) -> int:
        with journal.record(attempt):
            await asyncio.sleep(0.015 + image.number % 7 * 0.008)
            return image.width * image.width * 3 // 4

    @context.job(name="CHARGE", job_group=lambda payment: f"account-{payment.account}")
    async def charge(payment: Payment, attempt: Attempt) -> int:
        with journal.record(attempt):
            await asyncio.sleep(0.008)
            return payment.cents

    @context.job(name="MAIL", num_attempts=5, backoff=0.4)
    async def mail(letter: Mail, attempt: Attempt) -> None:
        with journal.record(attempt):
            await asyncio.sleep(0.015)
            if "@" not in letter.to:
                raise Fail(f"{letter.to!r} is nobody's address")
            if attempt.error_count < letter.num_outages:
                raise ConnectionError("the mail server is down")

    @context.job(name="REPORT", priority=10)
    def report(month: Month, attempt: Attempt) -> str:
        with journal.record(attempt):
            time.sleep(REPORT_SECS)  # a plain function: it runs in a thread
            return f"{month.year}-{month.month:02}.pdf"

    @context.job(name="SWEEP", repeat_secs=1.0)
    async def sweep(nothing: None, attempt: Attempt) -> None:
        with journal.record(attempt):
            await asyncio.sleep(0.005)

    return Shop(thumbnail, charge, mail, report, sweep)


def payload_of(shop: Shop, number: int) -> tuple[JobDefinition[Any, Any], Any]:
    """Say what the job of a number is: ten thumbnails to six payments to four mails."""
    place = number % 20
    if place < 10:
        return shop.thumbnail, Image(number=number, width=120 + number % 5 * 40)
    if place < 16:
        return shop.charge, Payment(account=(number // 20 * 6 + place) % NUM_ACCOUNTS, cents=number)
    if number % 100 == 17:
        return shop.mail, Mail(to=f"customer {number}")
    return shop.mail, Mail(to=f"customer{number}@example.org", num_outages=max(0, number // 20 % 5 - 2))
