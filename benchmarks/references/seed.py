"""The seed's architecture: FastAPI, Pydantic models, a SQLAlchemy session, and for each record a SELECT,
a fingerprint and an INSERT or UPDATE. Run as a program, it makes the tables and the registrations."""

import datetime
import hashlib
import os
from decimal import Decimal
from typing import Annotated

from fastapi import Depends, FastAPI, Header
from pydantic import BaseModel, Field
from sqlalchemy import ForeignKey, UniqueConstraint, create_engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.types import Numeric, Text

from benchmarks import records

URL = os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg://")
engine = create_engine(URL, pool_size=10)
Sessions = sessionmaker(engine)

if URL.startswith("sqlite"):

    @event.listens_for(engine, "connect")
    def durable(connection, _):
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")


class Base(DeclarativeBase):
    pass


class RegistrationRow(Base):
    __tablename__ = "registrations"
    __table_args__ = (UniqueConstraint("tenant_id", "zoho_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    zoho_id: Mapped[str]


class PaymentRow(Base):
    __tablename__ = "payments"
    __table_args__ = (UniqueConstraint("tenant_id", "zoho_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    zoho_id: Mapped[str]
    registration_id: Mapped[int] = mapped_column(ForeignKey("registrations.id"))
    amount: Mapped[Decimal] = mapped_column(Numeric(12, 2))
    payment_date: Mapped[str | None]
    payment_method: Mapped[str | None]
    payment_status: Mapped[str]
    description: Mapped[str | None] = mapped_column(Text)
    fingerprint: Mapped[str]
    updated_at: Mapped[datetime.datetime]


class Lookup(BaseModel):
    id: str
    name: str | None = None


class Payment(BaseModel):
    id: str = Field(min_length=1, max_length=64)
    Registration: Lookup
    Amount: Decimal = Field(ge=0, decimal_places=2, max_digits=12)
    Payment_Date: datetime.date | None = None
    Payment_Method: str | None = Field(None, max_length=255)
    Payment_Status: str = Field(max_length=255)
    Description: str | None = None

    def fingerprint(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Envelope(BaseModel):
    data: list[Payment]


app = FastAPI()


def session():
    with Sessions() as opened:
        yield opened


@app.get("/healthz")
def healthz() -> dict:
    return {}


@app.post("/v1/sync/payments")
def sync_payments(
    envelope: Envelope, db: Annotated[Session, Depends(session)], x_tenant_id: Annotated[str, Header()]
) -> dict:
    results = [sync(db, x_tenant_id, payment) for payment in envelope.data]
    db.commit()
    return {"status": "success", "tenant_id": x_tenant_id, "results": results}


def sync(db: Session, tenant: str, payment: Payment) -> dict:
    parent = db.scalar(
        select(RegistrationRow).where(
            RegistrationRow.tenant_id == tenant, RegistrationRow.zoho_id == payment.Registration.id
        )
    )
    if parent is None:
        return {"zoho_payment_id": payment.id, "status": "INVALID", "message": "Registration not found"}
    row = db.scalar(
        select(PaymentRow).where(PaymentRow.tenant_id == tenant, PaymentRow.zoho_id == payment.id)
    )
    fingerprint = payment.fingerprint()
    if row is None:
        row = PaymentRow(tenant_id=tenant, zoho_id=payment.id)
        db.add(row)
        status = "NEW"
    elif row.fingerprint == fingerprint:
        return {"zoho_payment_id": payment.id, "status": "UNCHANGED"}
    else:
        status = "UPDATED"
    row.registration_id = parent.id
    row.amount = payment.Amount
    row.payment_date = payment.Payment_Date and payment.Payment_Date.isoformat()
    row.payment_method = payment.Payment_Method
    row.payment_status = payment.Payment_Status
    row.description = payment.Description
    row.fingerprint = fingerprint
    row.updated_at = datetime.datetime.now(datetime.UTC)
    return {"zoho_payment_id": payment.id, "status": status}


def prepare() -> None:
    Base.metadata.create_all(engine)
    with Sessions() as db:
        db.add_all(
            RegistrationRow(tenant_id=records.tenant(t), zoho_id=records.registration(n))
            for t in range(records.TENANTS)
            for n in range(records.REGISTRATIONS)
        )
        db.commit()


if __name__ == "__main__":
    prepare()
