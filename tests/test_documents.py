"""Each block of README.md and docs/ is run by a test, or says here why none runs it."""

from __future__ import annotations

import ast

import pytest

from tests.documents import DOCUMENTS, ROOT, Block, blocks

DEMO = "tests/demo/test_demo.py::"
STATEMENTS = DEMO + "test_every_statement_of_the_documents_answers"
LETTERS = DEMO + "test_the_commands_of_dead_letters"
TRAINING = DEMO + "test_the_training_sets_of_the_documents"
WORKED = "tests/test_docs.py::test_the_worked_example_prints_what_the_document_shows"
RESTORE = "tests/test_operations.py::test_a_restored_dump_gives_the_same_answers"
MAPPING = "tests/ingest/replay/test_mapping.py::"
SERVING = "tests/serving/test_document.py::"
PREDICTIONS = "tests/model/test_document.py::test_a_statement_of_the_document_answers"
TLS = "tests/tenancy/test_encryption.py::"
# document, how the block begins: the test that runs it, or the reason why none does
HOW = {
    (
        "README.md",
        "make demo",
    ): "tests/demo/ begins with the demo; the suite is this",
    ("README.md", "newest features"): DEMO
    + "test_no_line_of_the_summary_is_wider_than_the_terminal",
    ("README.md", "files or feeds"): "a picture",
    ("README.md", "select bucket"): STATEMENTS,
    ("README.md", "from feast_repo"): TRAINING,
    ("README.md", "make train"): DEMO + "test_the_example_goes_from_training_set_to_replay",
    ("README.md", "make up migrate"): DEMO + "test_the_way_of_an_own_file",
    ("README.md", "export DATABASE_URL"): "a server and a broker of the reader's own, for ever; "
    "the same three commands are the way of an own file",
    ("docs/audit.md", "select recorded_at"): STATEMENTS,
    ("docs/audit.md", "psql -XAt"): DEMO + "test_the_chain_holds_its_published_head",
    ("docs/audit.md", "select * from audit.verify(1"): DEMO
    + "test_the_chain_holds_its_published_head",
    ("docs/dead-letters.md", "python -m ingest dlq list"): LETTERS,
    ("docs/dead-letters.md", "python -m ingest dlq replay"): LETTERS,
    ("docs/dead-letters.md", "python -m ingest dlq drop"): LETTERS,
    ("docs/encryption.md", "deploy/make_certificates.sh certificates db"): TLS
    + "test_a_careful_client_gets_tls_1_3",
    ("docs/encryption.md", "deploy/make_certificates.sh deploy"): "needs Docker; "
    "tests/deploy/test_compose.py reads the two files as Compose does",
    ("docs/encryption.md", "export DATABASE_URL"): TLS
    + "test_migrate_takes_the_password_of_an_address_and_the_rest_of_the_environment",
    ("docs/encryption.md", "pg_basebackup"): "needs GPG and a recipient's key",
    ("docs/feast.md", "make demo"): "the demo does all of it: tests/demo/",
    ("docs/feast.md", "from feast_repo"): TRAINING,
    ("docs/feast.md", "KEY="): DEMO + "test_the_request_of_the_document",
    ("docs/ingest.md", "insert into market.policy"): STATEMENTS,
    (
        "docs/models.md",
        "make train",
    ): "tests/training/test_training.py::test_the_commands_of_the_document",
    (
        "docs/models.md",
        "import mlflow",
    ): "tests/training/test_training.py::test_the_commands_of_the_document",
    ("docs/operations.md", "select * from feature.set_aside"): STATEMENTS,
    ("docs/operations.md", "select\n    format"): STATEMENTS,
    ("docs/operations.md", "git fetch"): "changes this checkout; make migrate and make dbt over an "
    "earlier release are tests/migrations/test_upgrade.py",
    ("docs/operations.md", "psql -X -c 'alter ext"): "needs two releases of TimescaleDB",
    ("docs/operations.md", "pg_dumpall"): RESTORE,
    ("docs/operations.md", "psql -X -f roles.sql"): RESTORE,
    ("docs/operations.md", "select feature_pit_hash"): STATEMENTS,
    ("docs/point-in-time.md", "insert into market.trade"): WORKED,
    ("docs/point-in-time.md", "select known_as_of"): WORKED,
    ("docs/point-in-time.md", "      known_as_of"): WORKED,
    ("docs/point-in-time.md", "select version"): WORKED,
    ("docs/point-in-time.md", " version |"): WORKED,
    ("docs/point-in-time.md", "select field"): WORKED,
    ("docs/point-in-time.md", " field  |"): WORKED,
    ("docs/point-in-time.md", "call feature.backfill"): WORKED,
    ("docs/point-in-time.md", "select generation"): WORKED,
    ("docs/point-in-time.md", " generation |"): WORKED,
    ("docs/point-in-time.md", "         as_of"): WORKED,
    ("docs/point-in-time.md", "begin;"): WORKED,
    ("docs/point-in-time.md", "select length"): WORKED,
    (
        "docs/point-in-time.md",
        "import mlflow",
    ): "tests/feast/test_sets.py::test_a_run_of_mlflow_carries_the_receipts",
    ("docs/point-in-time.md", " is_short"): WORKED,
    ("docs/predictions.md", "select model, alias"): PREDICTIONS,
    ("docs/predictions.md", "select prediction_id"): PREDICTIONS,
    ("docs/predictions.md", "select value, features"): PREDICTIONS,
    ("docs/predictions.md", "select r.prediction_id"): PREDICTIONS,
    ("docs/predictions.md", "select version, symbol"): PREDICTIONS,
    ("docs/predictions.md", "select version, alias, session_day"): PREDICTIONS,
    ("docs/predictions.md", "select version, session_day, column"): PREDICTIONS,
    ("docs/predictions.md", "select version, shadow_version"): PREDICTIONS,
    ("docs/predictions.md", "select model, version, kind"): PREDICTIONS,
    ("docs/replay.md", "python -m ingest inspect FILE"): DEMO + "test_the_way_of_an_own_file",
    ("docs/replay.md", "python -m ingest inspect BTC"): "tests/ingest/replay/test_vendors.py::"
    "test_a_vendors_file_loads_by_inspect_alone",
    ("docs/replay.md", "# quotes.toml"): MAPPING + "test_the_documented_mapping_works",
    ("docs/replay.md", "# corrections.toml"): MAPPING + "test_the_documented_corrections_work",
    ("docs/replay.md", "[null_values]"): MAPPING + "test_the_documented_words_for_no_quote_work",
    ("docs/replay.md", "python -m ingest synthetic"): DEMO
    + "test_the_day_is_as_large_and_as_varied_as_promised",
    (
        "docs/serving.md",
        "make serve-model",
    ): "tests/serving/test_process.py::test_the_command_serves",
    ("docs/serving.md", "tenant"): "a picture",
    ("docs/serving.md", "KEY="): SERVING + "test_the_request_of_the_document",
    ("docs/serving.md", "select model"): SERVING + "test_the_statements_of_the_document",
    ("docs/serving.md", "make replay"): "tests/serving/test_replay.py::"
    "test_a_prediction_is_made_again_to_the_bit",
    ("docs/serving.md", "tritonserver"): SERVING + "test_a_server_of_ones_own_is_started_as_ours",
}
ALL = [one for document in DOCUMENTS for one in blocks(document)]


def how(one: Block) -> list[tuple[str, str]]:
    """What of HOW is about a block."""
    return [at for at in HOW if at[0] == one.document and one.text.startswith(at[1])]


@pytest.mark.parametrize("one", ALL, ids=lambda one: f"{one.document}:{one.line}")
def test_each_block_is_run_or_says_why_not(one: Block) -> None:
    found = how(one)
    assert len(found) == 1, (
        f"{one.document}, line {one.line}: run this block in a test (statements that answer after "
        "make demo run by themselves), and name that test in HOW, or the reason why none can"
    )
    module, is_test, name = HOW[found[0]].partition("::")
    if is_test:
        defined = ast.parse((ROOT / module).read_text()).body
        assert name in {one.name for one in defined if isinstance(one, ast.FunctionDef)}


def test_nothing_is_said_of_a_block_that_is_not_there() -> None:
    assert {at for one in ALL for at in how(one)} == set(HOW)
