create or replace function model.take_labels(
    p_began_at timestamptz, out model text, out version integer, out tenant_id integer,
    out source_tenant_id integer, out symbols text[], out as_ofs timestamptz[]
)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_failures integer;
begin
    select
        w.model,
        w.version,
        w.tenant_id,
        case when r.ended_at is null and r.began_at is not null then 1 else 0 end
        + coalesce(r.failures, 0)
    into take_labels.model, take_labels.version, take_labels.tenant_id, v_failures
    from (
        select distinct
            d.model,
            d.version,
            d.tenant_id
        from model.label_wait as d
        where d.due_at <= p_began_at
    ) as w
    left join model.label_run as r
        on w.model = r.model and w.version = r.version and w.tenant_id = r.tenant_id
    -- one that fails is tried once a call, and after the others
    where r.began_at is null or r.began_at < p_began_at or r.sqlstate is null
    order by 4, w.model, w.version, w.tenant_id
    limit 1;
    if not found then
        return;
    end if;
    insert into model.label_run as r (model, version, tenant_id, began_at)
    values (take_labels.model, take_labels.version, take_labels.tenant_id, clock_timestamp())
    on conflict (model, version, tenant_id) do update
    set
        began_at = excluded.began_at,
        ended_at = null,
        failures = v_failures,
        -- until it ends
        sqlstate = case when r.ended_at is null then '57014' else r.sqlstate end,
        message = case
            when r.ended_at is null then format('it was begun at %s and did not end', r.began_at)
            else r.message
        end;
    select w.source_tenant_id
    into take_labels.source_tenant_id
    from model.label_wait as w
    where
        w.model = take_labels.model
        and w.version = take_labels.version
        and w.tenant_id = take_labels.tenant_id
        and w.due_at <= p_began_at
    order by w.due_at
    limit 1;
    -- materialized: a limit that is planned into a loop holds for each turn of it
    with due as materialized (
        select w.symbol, w.as_of
        from model.label_wait as w
        where
            w.model = take_labels.model
            and w.version = take_labels.version
            and w.tenant_id = take_labels.tenant_id
            and w.source_tenant_id = take_labels.source_tenant_id
            and w.due_at <= p_began_at
        order by w.due_at, w.symbol, w.as_of
        -- fewer after each failure: of those that do not end, too
        limit greatest(1000 >> least(4 * v_failures, 12), 1)
        for update skip locked
    ),

    taken as (
        update model.label_wait as u
        set
            tries = u.tries + 1,
            -- a minute, two, four, and from then on each hour
            due_at = p_began_at + least(
                interval '1 minute' * 2 ^ least(u.tries, 6), interval '1 hour'
            )
        from due as d
        where
            u.model = take_labels.model
            and u.version = take_labels.version
            and u.tenant_id = take_labels.tenant_id
            and u.symbol = d.symbol
            and u.as_of = d.as_of
        returning u.symbol, u.as_of
    )

    select
        coalesce(array_agg(t.symbol order by t.as_of, t.symbol), '{}'),
        coalesce(array_agg(t.as_of order by t.as_of, t.symbol), '{}')
    into take_labels.symbols, take_labels.as_ofs
    from taken as t;
end
$$;
revoke all on function model.take_labels(timestamptz) from public;
comment on function model.take_labels(timestamptz) is
'Takes up to a thousand questions of one version and tenant, of one owner of their features, that '
'are due by p_began_at from the queue, puts them off, a minute at first and an hour at most, and '
'notes that the run begins: one that is ended from outside is known by that. Those that failed '
'last come last, once in a call, and fewer at a time. NULL: none is due. Step of '
'model.note_labels().';
