create or replace function feature.refuse_unknown(
    p_symbols text[], p_tenant_id integer, p_visible integer[] default null
) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    c_named constant integer := 5;
    v_tenant_ids constant integer[] := coalesce(
        case when p_tenant_id is not null and p_visible is not null then array[p_tenant_id] end,
        p_visible
    );
    v_unknown text[];
    v_meant text;
begin
    if p_visible is null
        and not exists (select from market.tenant as t where t.tenant_id = p_tenant_id)
        and not exists (select from feature.series as s where s.tenant_id = p_tenant_id)
        and p_tenant_id is not null
    then
        raise exception 'unknown tenant: %', p_tenant_id
            using errcode = 'undefined_object',
            hint = 'It is neither in market.tenant nor has it features. "make tenant" lists and '
                'adds them.';
    end if;

    select array_agg(d.symbol order by d.place)
    into v_unknown
    from (
        select
            p.symbol,
            min(p.place) as place
        from unnest(p_symbols) with ordinality as p (symbol, place)
        group by p.symbol
    ) as d
    where
        not exists (
            select from feature.series as s
            where
                s.symbol = d.symbol
                and (v_tenant_ids is null or s.tenant_id = any(v_tenant_ids))
        )
        -- that others have an instrument is nothing for a tenant to learn
        and (
            p_visible is not null
            or not exists (
                select from market.instrument_version as i where i.symbol = d.symbol
            )
        );
    if v_unknown is null then
        return;
    end if;

    select string_agg(distinct quote_literal(m.symbol), ', ')
    into v_meant
    from (
        select s.symbol from feature.series as s
        where v_tenant_ids is null or s.tenant_id = any(v_tenant_ids)
        union
        select i.symbol from market.instrument as i where p_visible is null
    ) as m
    where lower(m.symbol) in (select lower(btrim(u)) from unnest(v_unknown[:c_named]) as u);
    raise exception 'unknown symbols: %', (
        select string_agg(quote_literal(left(u.symbol, 80)), ', ' order by u.place)
            || case
                when cardinality(v_unknown) > c_named
                    then format(' and %s more', cardinality(v_unknown) - c_named)
                else ''
            end
        from unnest(v_unknown[:c_named]) with ordinality as u (symbol, place)
    )
        using errcode = 'undefined_object',
        hint = coalesce('Is ' || v_meant || ' meant? ', '') || case
            when p_visible is null
                then 'A symbol is known that stands in market.instrument (seeds/instrument.csv, '
                    'then make migrate) or has features.'
            else 'select tenant_id, symbol from api.feature_pit_snapshot_all() says what there is.'
        end;
end
$$;
revoke all on function feature.refuse_unknown(text[], integer, integer[]) from public;
comment on function feature.refuse_unknown(text[], integer, integer[]) is
'Refuses a tenant and symbols that do not exist. A tenant is known that is in market.tenant or has '
'features, a symbol that is or was in market.instrument or has features of any tenant. With '
'p_visible, the tenants that the asker may see, a symbol is known that has features of these, or '
'of p_tenant_id, alone: the answer is the same whether others have it or not. Errors: 42704, '
'naming up to five of them.';
