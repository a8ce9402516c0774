-- depends: functions/feature/exact_bytes functions/feature/modulo_2_64
create or replace function feature.answer_digest(
    p_schema text,
    p_set text,
    p_generation integer,
    p_fields integer,
    p_symbols text[],
    p_as_of timestamptz[],
    p_known_as_of timestamptz[],
    p_tenant_id integer,
    out digest bytea,
    out row_sum numeric,
    out place_sum numeric,
    out field_sums integer[]
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_prefix constant text := case p_set when 'market_1m' then 'feature' else p_set end;
    v_bytes text;
    v_sums text;
begin
    select
        string_agg(format('feature.exact_bytes(s.%I)', c.field), ' || ' order by c.ordinal),
        string_agg(
            format(
                'sum(hashtextextended(encode(feature.exact_bytes(s.%I), ''hex''), s.ordinality) '
                '& 4095)',
                c.field
            ), ', ' order by c.ordinal
        )
    into v_bytes, v_sums
    from (
        select
            t.field,
            t.ordinal
        from market.contract as t
        where t.feature_set = p_set
        order by t.ordinal
        limit p_fields
    ) as c;
    -- a row's number: the first eight bytes of its digest
    execute format(
        $q$
            with answer as materialized (
                select
                    s.*,
                    sha256(
                        int4send(octet_length(s.symbol)) || convert_to(s.symbol, 'UTF8')
                        || timestamptz_send(s.as_of) || %1$s
                    ) as row_digest
                from %2$I.%3$I($5, $1, $2, $3, $4) with ordinality as s
            ),

            numbered as (
                select
                    s.*,
                    ('x' || encode(substr(s.row_digest, 1, 8), 'hex'))::bit(64)::bigint::numeric
                        as row_number
                from answer as s
            )

            select
                sha256(coalesce(
                    string_agg(s.row_digest, ''::bytea order by s.ordinality), ''::bytea
                )),
                feature.modulo_2_64(sum(s.row_number)),
                feature.modulo_2_64(sum(s.row_number * s.ordinality)),
                array(select mod(coalesce(f.s, 0), 4096)::integer from unnest(array[%4$s]) as f (s))
            from numbered as s
        $q$,
        v_bytes, p_schema, c_prefix || '_pit_snapshot_in', v_sums
    )
    into digest, row_sum, place_sum, field_sums
    using p_symbols, p_as_of, p_known_as_of, p_tenant_id, p_generation;
end
$$;
revoke all on function feature.answer_digest(
    text, text, integer, integer, text[], timestamptz[], timestamptz[], integer
) from public;
comment on function feature.answer_digest(
    text, text, integer, integer, text[], timestamptz[], timestamptz[], integer
) is
'What a receipt keeps of an answer, which <p_schema>.<set>_pit_snapshot_in() gives: digest, '
'SHA-256 of its rows'' symbols, as_of and first p_fields fields, in order; row_sum, of the rows'' '
'digests as numbers, and place_sum, of each times its place, both modulo 2^64: where one row '
'differs, the difference of the second is its place times that of the first; field_sums, one of '
'each field, modulo 4096. Other arguments: as of the snapshot.';
