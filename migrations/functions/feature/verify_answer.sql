-- depends: functions/feature/answer_digest functions/feature/definition_digest
--   functions/feature/read_receipt functions/feature/sums_text
create or replace function feature.verify_answer(
    p_schema text,
    p_receipt text,
    p_symbols text[],
    p_as_of timestamptz[],
    p_known_as_of timestamptz[],
    p_tenant_id integer,
    p_elsewhere boolean
) returns table (
    is_equal boolean, said text, place bigint, symbol text, as_of timestamptz, field text,
    moved text
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_read record := feature.read_receipt(
        p_receipt, p_symbols, p_as_of, p_known_as_of, p_elsewhere
    );
    v_set constant text := v_read.feature_set;
    v_fields constant integer := v_read.parts[4];
    -- letters of a field among the sums
    v_width constant integer := length(v_read.parts[14]) / v_fields;
    v_sums text;
    v_answer record;
    v_row numeric;
    v_place numeric;
begin
    v_answer := feature.answer_digest(
        p_schema, v_set, v_read.generation, v_fields, p_symbols, p_as_of, v_read.known_as_of,
        p_tenant_id
    );
    is_equal := feature.url_text(v_answer.digest) = v_read.parts[11];
    if is_equal then
        said := format(
            'equal: %s rows of %s as of the publish of %s', cardinality(p_symbols), v_set,
            v_read.stamp
        );
        return next;
        return;
    end if;

    -- where one row differs: its place is how often the one difference goes into the other
    v_row := feature.modulo_2_64(v_answer.row_sum - feature.text_number(v_read.parts[12]));
    v_place := feature.modulo_2_64(v_answer.place_sum - feature.text_number(v_read.parts[13]));
    select min(p.n)
    into place
    from generate_series(1, cardinality(p_symbols)) as p (n)
    where v_row <> 0 and mod(p.n * v_row, 18446744073709551616) = v_place
    having count(*) = 1;
    symbol := p_symbols[array_lower(p_symbols, 1) + place - 1];
    as_of := p_as_of[array_lower(p_as_of, 1) + place - 1];

    v_sums := feature.sums_text(v_answer.field_sums);
    select string_agg(c.field, ', ' order by c.n)
    into field
    from (
        select
            t.field,
            row_number() over (order by t.ordinal) as n
        from market.contract as t
        where t.feature_set = v_set
    ) as c
    where
        c.n <= v_fields
        and substr(v_sums, ((c.n - 1) * v_width + 1)::integer, v_width)
        <> substr(v_read.parts[14], ((c.n - 1) * v_width + 1)::integer, v_width);
    moved := coalesce(nullif(concat_ws(
        ', ',
        case when feature.definition_digest(v_set) <> v_read.parts[5] then 'definition' end,
        case
            when feature.contract_digest(v_set, v_fields, v_read.stamp) <> v_read.parts[6]
                then 'contract'
        end,
        case
            when feature.reference_digest(p_symbols, v_read.stamp) <> v_read.parts[7]
                then 'reference data'
        end
    ), ''), 'versions of the log');
    said := format(
        'not equal: %s; field %s; what moved: %s',
        case
            when place is null then 'several rows differ'
            else format('row %s, %s at %s', place, symbol, as_of)
        end,
        coalesce(field, 'not told'), moved
    );
    return next;
end
$$;
revoke all on function feature.verify_answer(
    text, text, text[], timestamptz[], timestamptz[], integer, boolean
) from public;
comment on function feature.verify_answer(
    text, text, text[], timestamptz[], timestamptz[], integer, boolean
) is
'feature.verify() of what p_schema, public or api, answers.';
