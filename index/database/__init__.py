"""The SQLite side: schema, migrations, the store with its one writer, records, queries, upkeep."""
