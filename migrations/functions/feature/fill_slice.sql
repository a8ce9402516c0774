-- depends: functions/feature/add_versions functions/feature/await_closes
--   functions/feature/complete_versions functions/feature/end_fields
--   functions/feature/make_history functions/feature/wait_behind
create or replace function feature.fill_slice(
    p_set text,
    p_tenant_ids integer[],
    p_symbols text[],
    p_from timestamptz,
    p_to timestamptz
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
-- versions in the columnstore are taken out of it, however many; its policy takes them back
set "timescaledb.max_tuples_decompressed_per_dml_transaction" = 0
as $$
declare
    c_slice constant tstzrange := tstzrange(p_from, p_to);
    v_field record;
    v_versions bigint := 0;
begin
    -- what another backfill has just filled waits no more
    perform
    from feature.waiting_field as w
    where
        w.feature_set = p_set
        and (w.tenant_id, w.symbol) in (
            select s.tenant_id, s.symbol
            from unnest(p_tenant_ids, p_symbols) as s (tenant_id, symbol)
        )
    order by w.tenant_id, w.symbol, w.field, w.known_to
    for update;
    drop table if exists pg_temp.slice_field;
    create temp table slice_field on commit drop as
    select
        w.tenant_id,
        w.symbol,
        w.field,
        w.known_after,
        w.known_to,
        w.buckets * tstzmultirange(c_slice) as buckets,
        (
            select c.definition from feature.current_definition as c where c.feature_set = p_set
        ) as definition
    from feature.waiting_field as w
    inner join feature.published_field() as f
        on w.feature_set = f.feature_set and w.field = f.field
    inner join unnest(p_tenant_ids, p_symbols) as s (tenant_id, symbol)
        on w.tenant_id = s.tenant_id and w.symbol = s.symbol
    where w.feature_set = p_set and w.buckets && c_slice;
    if not exists (select from slice_field) then
        return 0;
    end if;
    perform feature.make_history(
        p_set, p_tenant_ids, p_symbols, p_from, p_to, (select max(w.known_to) from slice_field as w)
    );
    create index on timeline (series_no, bucket, known_at);

    -- one after the other with publishes
    perform from feature.clock as c for update;
    for v_field in
        select distinct
            w.known_to,
            w.field
        from slice_field as w
        order by w.known_to, w.field
    loop
        v_versions := v_versions
            + feature.complete_versions(p_set, v_field.field, v_field.known_to, p_from, p_to)
            + feature.add_versions(p_set, v_field.field, v_field.known_to, p_from, p_to);
        -- what was published since took it from versions that had no value of it
        perform feature.wait_behind(p_set, v_field.known_to, v_field.field);
        perform feature.await_closes(p_set, v_field.known_to);
    end loop;
    perform feature.end_fields(p_set, d.tenant_id, d.symbol, d.fields, p_from, p_to)
    from (
        select
            s.tenant_id,
            s.symbol,
            array_agg(w.field) as fields
        from slice as s
        inner join slice_field as w on s.tenant_id = w.tenant_id and s.symbol = w.symbol
        group by s.tenant_id, s.symbol
    ) as d;
    return v_versions;
end
$$;
revoke all on function feature.fill_slice(
    text, integer[], text[], timestamptz, timestamptz
) from public;
grant execute on function feature.fill_slice(
    text, integer[], text[], timestamptz, timestamptz
) to market_operator;
comment on function feature.fill_slice(text, integer[], text[], timestamptz, timestamptz) is
'Builds the history of the fields that feature.waiting_field has, of some series'' bars of the set '
'p_set with bucket in [p_from, p_to): p_tenant_ids, p_symbols, element by element. The versions '
'that are there get the value that could have been computed at their moment, and where the field '
'alone changed there is a version more. Nothing else is touched, and what is filled waits no more, '
'so that it is filled once. Returns how many versions. A series whose formulas fail waits, with a '
'warning and in the setting feature.left_out. Called by feature.backfill(), before '
'feature.backfill_slice().';
