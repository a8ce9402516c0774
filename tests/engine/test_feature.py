"""make feature: what it writes, and that it writes nothing where it refuses."""

import csv
import shutil
from pathlib import Path

import pytest

from engine import feature
from engine.errors import FeatureRefused

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for folder in ("models", "seeds"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def texts(copy: Path) -> dict[Path, str]:
    return {path: path.read_text() for path in sorted(copy.rglob("*.*")) if path.is_file()}


def lines(copy: Path) -> list[dict[str, str]]:
    with (copy / "seeds/smartdb_contract.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("set_", "model", "of", "source", "read"),
    [
        ("market_1m", "feature_1m", None, "int_bar__own", "close"),
        ("momentum_1m", "momentum_1m", None, "feature_1m", "market_1m.close"),
        ("momentum_1m", "momentum_1m", "microprice", "int_momentum__own", "microprice"),
        ("daily", "daily", "high", "int_session__own", "high"),
    ],
)
def test_a_field_is_added_with_all_that_names_it(
    copy: Path, set_: str, model: str, of: str | None, source: str, read: str
) -> None:
    before = lines(copy)
    written = feature.add("prior", set_, of, copy)
    view = f"int_{set_}__prior"
    assert f"ref('{source}')" in written[0].read_text()
    assert written[0] == copy / f"models/intermediate/{view}.sql"
    made = (copy / f"models/features/{model}.sql").read_text()
    assert made.index(f"from {{{{ ref('{view}') }}}}") < made.index("final as (")
    assert f",\n        {view}.prior\n    from bar\n" in made
    assert made.index("from bar\n") < made.index(f"left join {view}\n")
    yml = (copy / f"models/features/{model}.yml").read_text()
    assert yml.index("- name: prior") < yml.index("unit_tests:")
    # a unit test of dbt names all that its model reads
    assert yml.count(f"ref('{view}')") == yml.count("    given:\n") > 0
    assert "{% docs prior %}" in (copy / "models/docs.md").read_text()
    after = lines(copy)
    (line,) = [one for one in after if one not in before]
    assert [one for one in after if one != line] == before
    own = [one for one in before if one["feature_set"] == set_]
    assert (line["feature_set"], line["field"], line["inputs"]) == (set_, "prior", read)
    assert int(line["ordinal"]) == max(int(one["ordinal"]) for one in own) + 1


@pytest.mark.parametrize(
    ("name", "set_", "of", "said"),
    [
        ("Prior", "daily", None, "small letters"),
        ("prior", "weekly", None, "no set 'weekly': they are market_1m"),
        ("close", "daily", None, "has a field 'close' already"),
        ("prior", "daily", "clsoe", "'clsoe' is no field"),
        ("prior", "momentum_1m", "close", "'close' is no field"),
    ],
)
def test_what_cannot_be_added_is_refused(
    copy: Path, name: str, set_: str, of: str | None, said: str
) -> None:
    before = texts(copy)
    with pytest.raises(FeatureRefused, match=said):
        feature.add(name, set_, of, copy)
    assert texts(copy) == before


def test_a_model_of_another_form_is_left_to_its_owner(copy: Path) -> None:
    model = copy / "models/features/daily.sql"
    model.write_text(model.read_text().replace("final as (", "joined as ("))
    before = texts(copy)
    with pytest.raises(FeatureRefused, match="by hand"):
        feature.add("prior", "daily", None, copy)
    assert texts(copy) == before


def test_a_field_is_added_once(copy: Path) -> None:
    feature.add("prior", "daily", None, copy)
    before = texts(copy)
    with pytest.raises(FeatureRefused, match="already"):
        feature.add("prior", "daily", None, copy)
    assert texts(copy) == before
