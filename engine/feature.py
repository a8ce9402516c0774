"""A field of a set of features: add it, with all that names it, and say what is made of it."""

import csv
import io
import re
from pathlib import Path
from string import Template

import psycopg

from engine.dbt import ROOT
from engine.errors import FeatureRefused
from engine.server import connect, require_migrated

NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
CONTRACT = "seeds/smartdb_contract.csv"
SETS = "seeds/feature_set.csv"
MODEL = Template("""\
with bar as (
    select
        tenant_id,
        symbol,
        bucket,
        $input
    from {{ ref('$source') }}
),

final as (
    select
        tenant_id,
        symbol,
        bucket,
        -- the formula: of this and earlier bars of a series
        lag($input) over by_time as $name
    from bar
    window by_time as (partition by tenant_id, symbol order by bucket)
)

select * from final
""")
YML = Template("""\
version: 2

models:
  - name: $view
    description: "One row per (tenant, symbol, bar) of $set: $name."
    data_tests:
      - one_row_per:
          arguments: {columns: [tenant_id, symbol, bucket]}
    columns:
      - name: tenant_id
        description: '{{ doc("tenant_id") }}'
        data_tests:
          - not_null
      - name: symbol
        description: '{{ doc("symbol") }}'
        data_tests:
          - not_null
      - name: bucket
        description: '{{ doc("bucket") }}'
        data_tests:
          - not_null
      - name: $name
        description: '{{ doc("$name") }}'

unit_tests:
  - name: ${name}_and_its_nulls
    model: $view
    given:
      - input: ref('$source')
        rows:
          - {tenant_id: 1, symbol: A, bucket: "2026-03-02 10:00:00+00", $input: 1}
          - {tenant_id: 1, symbol: A, bucket: "2026-03-02 10:01:00+00", $input: 2}
          - {tenant_id: 2, symbol: A, bucket: "2026-03-02 10:01:00+00", $input: 3}
    expect:
      rows:
        - {tenant_id: 1, symbol: A, bucket: "2026-03-02 10:00:00+00", $name: null}
        - {tenant_id: 1, symbol: A, bucket: "2026-03-02 10:01:00+00", $name: 1}
        - {tenant_id: 2, symbol: A, bucket: "2026-03-02 10:01:00+00", $name: null}
""")
FORMULA = "of the bar before it that is there"
VIEW = Template("""\
$view as (
    select * from {{ ref('$view') }}
),

final as (""")
GIVEN = Template("""\
    given:
      - input: ref('$view')
        rows: []
""")
JOIN = Template("""\
    left join $view
        on
            bar.tenant_id = $view.tenant_id
            and bar.symbol = $view.symbol
            and bar.bucket = $view.bucket
""")
FIELDS = """
    select
        f.feature_set,
        f.field,
        case when f.is_own then 'own' else 'window' end,
        coalesce(nullif(c.inputs, ''), replace(s.made_of, 'tick', 'ticks')),
        format('%s bars, %s minutes', p.reach_bars, p.reach_minutes)
    from feature.published_field() as f
    inner join feature.published_set() as p on f.feature_set = p.feature_set
    inner join market.feature_set as s on f.feature_set = s.feature_set
    inner join market.contract as c on f.feature_set = c.feature_set and f.field = c.field
    order by p.place, f.place
"""
MISSING = """
    select s.feature_set, s.model, s.bar_model
    from market.feature_set as s
    where s.feature_set not in (select p.feature_set from feature.published_set() as p)
"""

Line = dict[str, str]


def add(name: str, set_: str, of: str | None = None, root: Path = ROOT) -> list[Path]:
    """Write a window's model over a field of a set, and all that names it; returns the files.

    set_: of seeds/feature_set.csv. of: the field that it reads, as close or market_1m.close;
    default what the set's other windows read. It can be built, tested and published as it is; its
    formula, the value of the bar before, is to be changed to the one that is meant. Errors:
    FeatureRefused, and then nothing was written.
    """
    contract, sets = _rows(root / CONTRACT), _rows(root / SETS)
    own = [line for line in contract if line["feature_set"] == set_]
    found = next((line for line in sets if line["feature_set"] == set_), None)
    if not NAME.fullmatch(name):
        raise FeatureRefused(f"{name!r}: a name has small letters, digits and _, a letter first")
    if found is None:
        names = ", ".join(line["feature_set"] for line in sets)
        raise FeatureRefused(f"no set {set_!r}: they are {names}; a new one is a line of {SETS}")
    if any(line["field"] == name for line in own):
        raise FeatureRefused(f"{set_} has a field {name!r} already, see {CONTRACT}")
    inputs = [read for line in own for read in line["inputs"].split()]
    read = of or max(inputs, key=inputs.count, default=None)
    given = next((line for line in contract if _called(line, set_) == read), None)
    if read is None or given is None:
        raise FeatureRefused(f"{read!r} is no field of {CONTRACT}: OF=close, or OF=market_1m.close")
    of_set = next(line for line in sets if line["feature_set"] == given["feature_set"])
    source = of_set["bar_model"] if of_set is found else of_set["model"]
    words = {
        "name": name,
        "set": set_,
        "input": given["field"],
        "source": source,
        "view": f"int_{set_}__{name}",
        "data_type": given["data_type"],
    }
    model = root / "models" / "features" / f"{found['model']}.sql"
    model_yml = model.with_suffix(".yml")
    files = {
        root / f"models/intermediate/{words['view']}.sql": MODEL.substitute(words),
        root / f"models/intermediate/{words['view']}.yml": YML.substitute(words),
        model: _joined(model, words),
        model_yml: _described(model_yml, words),
        root / "models/docs.md": _documented(root / "models/docs.md", words),
        root / CONTRACT: _with_line(root / CONTRACT, own, given, words, read),
    }
    taken = [path for path in list(files)[:2] if path.exists()]
    if taken:
        raise FeatureRefused(f"{taken[0].relative_to(root)} is there already")
    for path, text in files.items():
        path.write_text(text)
    return list(files)


def _rows(path: Path) -> list[Line]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _called(line: Line, set_: str) -> str:
    """What an input of the set calls the field."""
    own = line["feature_set"] == set_
    return line["field"] if own else f"{line['feature_set']}.{line['field']}"


def _joined(path: Path, words: Line) -> str:
    """The set's model, with one more view that it joins and passes on."""
    text = path.read_text()
    made = VIEW.substitute(words)
    parts = re.fullmatch(
        r"(?P<before>.*)final as \(\n(?P<columns>    select\n.*?)\n(?P<joins>    from bar\n.*?)"
        r"\)\n(?P<after>\nselect \* from final\n)",
        text,
        re.DOTALL,
    )
    if parts is None:
        raise FeatureRefused(
            f"{path.name} does not end in final as (select ... from bar left join ...): join "
            f"{words['view']} there by hand, as docs/point-in-time.md says"
        )
    column = Template(",\n        $view.$name\n").substitute(words)
    return (
        f"{parts['before']}{made}\n{parts['columns']}{column}{parts['joins']}"
        f"{JOIN.substitute(words)})\n{parts['after']}"
    )


def _described(path: Path, words: Line) -> str:
    """The yml of the set's model with one more column; its unit tests have a view more to name."""
    column = Template(
        "      - name: $name\n        data_type: $data_type\n"
        "        description: '{{ doc(\"$name\") }}'\n"
    ).substitute(words)
    models, mark, tests = path.read_text().partition("\nunit_tests:\n")
    given = GIVEN.substitute(words)
    return models.rstrip("\n") + "\n" + column + mark + tests.replace("    given:\n", given)


def _documented(path: Path, words: Line) -> str:
    said = f"{words['input']} {FORMULA}: NULL of the first one."
    return path.read_text() + f"{{% docs {words['name']} %}}{said}{{% enddocs %}}\n"


def _with_line(path: Path, own: list[Line], given: Line, words: Line, read: str) -> str:
    """The contract with the field's line behind the last one of its set."""
    last = max(own, key=lambda line: int(line["ordinal"]))
    slowest = max(int(line["available_after_s"]) for line in own)
    line = last | {
        "ordinal": str(int(last["ordinal"]) + 1),
        "field": words["name"],
        "data_type": given["data_type"],
        "unit": given["unit"],
        "formula": f"{words['input']} {FORMULA}",
        "null_when": "the first bar",
        "available_after_s": str(max(slowest, int(given["available_after_s"]))),
        "inputs": read,
    }
    rows = _rows(path)
    place = max(i for i, row in enumerate(rows) if row["feature_set"] == last["feature_set"]) + 1
    lines = path.read_text().splitlines(keepends=True)
    made = io.StringIO()
    csv.DictWriter(made, list(last), lineterminator="\n").writerow(line)
    # a cell may hold no line break here: a row is a line
    return "".join([*lines[: place + 1], made.getvalue(), *lines[place + 1 :]])


def check(url: str) -> list[str]:
    """Say of every field whether it can be published, what it reads, and what its set costs.

    The models and the contract are those that the database has. Errors: FeatureRefused with the
    model or field, the rule that it breaks and what to do. Nothing is changed.
    """
    with connect(url) as connection:
        require_migrated(connection)
        with connection.transaction(force_rollback=True):
            connection.execute("set local client_min_messages = error")
            try:
                connection.execute("call feature.compile()")
            except psycopg.errors.FeatureNotSupported as error:
                hint = error.diag.message_hint
                raise FeatureRefused(f"{error.diag.message_primary}\n{hint or ''}") from error
            except psycopg.Error as error:
                raise FeatureRefused(f"the models cannot be recomputed: {error}") from error
            fields = connection.execute(FIELDS.encode()).fetchall()
            missing = connection.execute(MISSING.encode()).fetchall()
            costs = connection.execute("select * from feature.try_publish()").fetchall()
    if missing:
        named = "; ".join(f"{name} of {model} and {bars}" for name, model, bars in missing)
        raise FeatureRefused(f"models are missing, run make dbt: {named}")
    said = [f"{set_}.{field}: {kind}, of {read}" for set_, field, kind, read, _ in fields]
    reach = {set_: reach for set_, *_, reach in fields}
    said += [f"{set_}: windows reach back {text}; tried" for set_, text in reach.items()]
    return said + [
        f"{set_}: one bar of {series:,} series published in {seconds:.2f} s"
        for set_, series, seconds in costs
    ]
