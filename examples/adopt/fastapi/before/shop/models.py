"""What the shop keeps."""

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    poster: Mapped[str]


def best(engine: Engine) -> list[str]:
    """The posters that sell best: the statement that everybody waits for."""
    with Session(engine) as session:
        sold = select(Order.poster).group_by(Order.poster).order_by(func.count().desc()).limit(10)
        return list(session.scalars(sold))
