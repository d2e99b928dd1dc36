"""The database alone: a unit commits with what it promised, or not at all; a relay delivers the promise."""

import asyncio

from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select

from postrmagic_core.database import DatabaseManager, OutboxRow, Unit

metadata = MetaData()
posters = Table("posters", metadata, Column("id", Integer, primary_key=True), Column("name", String(80)))


def deliver(tx: Unit, row: OutboxRow) -> None:
    print("delivered", row.topic, row.payload.decode())


with DatabaseManager("sqlite:///app.db") as db:
    db.upgrade()

    @db.transactional(retries=3)
    def upload(tx: Unit, name: str, *, broken: bool = False) -> None:
        tx.execute(insert(posters).values(name=name))
        tx.stage("uploaded", name.encode(), key=name)
        if broken:
            raise ValueError("the image cannot be read")

    with db.write() as tx:
        metadata.create_all(tx.connection)
    upload("Gala")
    try:
        upload("Fair", broken=True)
    except ValueError as error:
        print("rolled back:", error)

    with db.read() as tx:
        print("posters:", tx.scalar(select(func.count()).select_from(posters)))
    relay = db.relay({"uploaded": deliver})
    print("rows delivered:", relay.run_once())
    asyncio.run(db.aio.transact(lambda tx: tx.execute(posters.delete())))
