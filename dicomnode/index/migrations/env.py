"""Alembic's entry: migrate the engine that `Index` hands over."""

from alembic import context

from dicomnode.index import learning  # noqa: F401 - its tables belong to the metadata
from dicomnode.index.schema import Base

with context.config.attributes["engine"].connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
