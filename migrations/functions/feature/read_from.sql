-- depends: functions/feature/published_of
create or replace function feature.read_from(
    p_set text, p_tenant_id integer, p_symbol text, p_bucket timestamptz
) returns timestamptz
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    v_from timestamptz := p_bucket - c_set.minutes * interval '1 minute';
    v_set text;
begin
    execute format(
        $q$
            select least($3, min(b.bucket))
            from (
                select distinct on (l.bucket) l.bucket
                from %s as l
                where l.tenant_id = $1 and l.symbol = $2 and l.bucket <= $3
                order by l.bucket desc, l.known_at desc
                limit $4
            ) as b
        $q$,
        c_set.log
    ) into v_from using p_tenant_id, p_symbol, v_from, c_set.bars + 1;
    -- windows of windows look back from there
    for v_set in
        select distinct f.from_set
        from feature.read_field() as f
        inner join feature.published_field() as p
            on f.from_set = p.feature_set and f.field = p.field
        where f.feature_set = p_set and not p.is_own
    loop
        v_from := least(v_from, feature.read_from(v_set, p_tenant_id, p_symbol, v_from));
    end loop;
    return v_from;
end
$$;
revoke all on function feature.read_from(text, integer, text, timestamptz) from public;
comment on function feature.read_from(text, integer, text, timestamptz) is
'The first bar that windows of the bar p_bucket of the set p_set can read, as its log and those of '
'the sets it reads have bars. For feature.explain_restatement().';
