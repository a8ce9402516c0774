create or replace function model.ask_label(
    p_sql text, p_symbols text[], p_as_ofs timestamptz[], p_tenant_id integer,
    out places bigint[], out label_values double precision[], out known_ats timestamptz[]
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wrong text;
begin
    -- until the block that asks ends
    perform set_config('transaction_read_only', 'on', true);
    execute format(
        $sql$
        select
            array_agg(a.place),
            array_agg(a.value),
            array_agg(a.known_at),
            max(
                case
                    when a.place is null or a.place not between 1 and cardinality($1)
                        then format('place is %%s of %%s', a.place, cardinality($1))
                    when a.times > 1 then format('place %%s comes twice', a.place)
                    when a.value in ('NaN', 'Infinity', '-Infinity') or a.known_at is null
                        then format('value %%s is known at %%s', a.value, a.known_at)
                end
            )
        from (
            select
                l.place::bigint as place,
                l.value::double precision as value,
                l.known_at::timestamptz as known_at,
                count(*) over (partition by l.place) as times
            from (%s
            ) as l (place, value, known_at)
            where l.value is not null
        ) as a
        $sql$,
        rtrim(p_sql, E'; \n\r\t')
    )
    into places, label_values, known_ats, v_wrong
    using p_symbols, p_as_ofs, p_tenant_id;
    if v_wrong is not null then
        raise exception 'its answer is wrong: %', v_wrong using errcode = 'data_exception';
    end if;
end
$$;
revoke all on function model.ask_label(text, text[], timestamptz[], integer) from public;
comment on function model.ask_label(text, text[], timestamptz[], integer) is
'Runs the SQL of a label, read only until the block that called it ends: $1 p_symbols, $2 '
'p_as_ofs, $3 p_tenant_id. It gives place, of the pair, from 1; value, NULL: not to be had (yet); '
'known_at, from when it could be known. Returns those that have a value, as arrays. Errors: 22000 '
'for a place that was not asked or comes twice, a value that is no number or without known_at; '
'25006 where it writes; its own.';
