-- depends: functions/feature/await_closes functions/feature/wait_behind
create or replace function feature.append_history(
    p_set text, p_born_at timestamptz
) returns bigint
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_versions bigint;
begin
    -- of one field: insert into feature.log (..., x) select ..., h.x from history_version as h
    execute format(
        $q$
            insert into %3$s (tenant_id, symbol, bucket, known_at, cause, definition%1$s)
            select
                h.tenant_id, h.symbol, h.bucket, h.known_at, h.cause, $1%2$s
            from history_version as h
            left join lateral (
                select min(l.known_at) as known_at
                from %3$s as l
                where l.tenant_id = h.tenant_id and l.symbol = h.symbol and l.bucket = h.bucket
            ) as e on true
            -- what a bar's first version has said already stays said
            where e.known_at is null or h.known_at < e.known_at
            order by h.bucket, h.tenant_id, h.symbol, h.known_at
        $q$,
        feature.published_list(p_set, 'all', ', %I'), feature.published_list(p_set, 'all', ', h.%I'),
        (feature.published_of(p_set)).log
    ) using (
        select c.definition from feature.current_definition as c where c.feature_set = p_set
    );
    get diagnostics v_versions = row_count;
    -- of the log in use nothing has changed
    if (feature.published_of(p_set)).log <> 'feature.' || feature.name_of(p_set, 'log') then
        return v_versions;
    end if;
    if p_set = 'market_1m' then
        insert into feature.series (symbol, tenant_id)
        select distinct
            s.symbol,
            s.tenant_id
        from slice as s
        inner join timeline as t on s.series_no = t.series_no
        where t.is_there
        on conflict do nothing;
    end if;
    if v_versions > 0 then
        perform feature.wait_behind(p_set, p_born_at);
        perform feature.await_closes(p_set, p_born_at);
    end if;
    return v_versions;
end
$$;
revoke all on function feature.append_history(text, timestamptz) from public;
comment on function feature.append_history(text, timestamptz) is
'Appends to the log of the set p_set those of history_version that are before a bar''s first '
'version, with the definition that is in use, of market_1m notes new series in feature.series, and '
'queues the bars whose windows were short (feature.wait_behind()) and those of longer sets that '
'were open (feature.await_closes()); in a step of feature.rebuild() none of these. Returns the '
'number of versions. Last step of feature.backfill_slice().';
