"""Write tests/migrations/schema.txt from a new database: python -m tests.migrations.snapshot."""

import os

from tests.migrations import catalog
from tests.migrations.test_migrations import SNAPSHOT


def main() -> None:
    """Read the migrated database at DATABASE_URL."""
    found = catalog.lines(os.environ["DATABASE_URL"], catalog.OURS)
    SNAPSHOT.write_text("\n".join(found) + "\n")


if __name__ == "__main__":
    main()
