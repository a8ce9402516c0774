-- depends: functions/feature/bars_of functions/feature/published_of
create or replace function feature.bars_closed_before(
    p_set text, p_tenant_id integer, p_symbol text, p_before timestamptz, p_bars integer
) returns timestamptz
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    c_from constant record := feature.published_of(c_set.made_of);
    v_bucket timestamptz := p_before;
    v_minute timestamptz;
    v_left integer := p_bars;
begin
    while v_left > 0 loop
        execute format(
            'select l.bucket from %s as l '
            'where l.tenant_id = $1 and l.symbol = $2 and l.bucket < $3 and l.%I is not null '
            -- late ones are no bar that is there at any knowledge time
            'and l.known_at <= l.bucket + interval ''1 day'' '
            'order by l.bucket desc limit 1',
            c_from.log, c_from.always
        ) into v_minute using p_tenant_id, p_symbol, v_bucket;
        if v_minute is null then
            return '-infinity';
        end if;
        select b.bucket
        into v_bucket
        from feature.bars_of(
            (select s.grain from market.feature_set as s where s.feature_set = p_set),
            array[p_symbol], array[v_minute]
        ) as b;
        if v_bucket is null then
            v_bucket := v_minute;
        else
            v_left := v_left - 1;
        end if;
    end loop;
    return v_bucket;
end
$$;
revoke all on function feature.bars_closed_before(text, integer, text, timestamptz, integer)
from public;
comment on function feature.bars_closed_before(text, integer, text, timestamptz, integer) is
'Bucket of the p_bars-th bar before p_before of a set that is made of one-minute bars; -infinity '
'when there are fewer. For feature.make_history().';
