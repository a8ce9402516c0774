-- depends: functions/feature/chunk_of functions/feature/name_of functions/feature/span_of
create or replace function feature.with_names(p_set text, p_sql text) returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_grain constant text := (
        select s.grain from market.feature_set as s where s.feature_set = p_set
    );
    c_first constant boolean := p_set = 'market_1m';
    c_span constant interval := feature.span_of(c_grain);
    v_mark text[];
    v_sql text := p_sql;
begin
    for v_mark in
        select distinct m.found
        from regexp_matches(
            p_sql,
            '(\{(name|newest|prefix|set|gone|ends|closed|begins|keyed|near|step|last|chunk'
            '|made_by)'
            '((?: [^{}]+)?)\})', 'g'
        ) as m (found)
    loop
        v_mark := v_mark || string_to_array(btrim(v_mark[3]), ' ');
        v_sql := replace(v_sql, v_mark[1], case v_mark[2]
            when 'name' then feature.name_of(p_set, v_mark[4])
            when 'newest' then case when c_first then 'feature_1m' else p_set end
            when 'prefix' then case when c_first then 'feature' else p_set end
            when 'set' then p_set
            when 'gone' then
                case
                    when c_first then format('row({ %s.%%I }) is null', v_mark[4])
                    else format('%s.closes_at is null', v_mark[4])
                end
            when 'ends' then
                case
                    when c_span is null then format('%s.closes_at', v_mark[4])
                    else format('%s.bucket + interval %L', v_mark[4], c_grain)
                end
            when 'closed' then
                case
                    when c_span is null then format(
                        '%1$s.bucket < %2$s and coalesce(%1$s.closes_at, %1$s.bucket) <= %2$s',
                        v_mark[4], v_mark[5]
                    )
                    else format('%s.bucket <= %s - interval %L', v_mark[4], v_mark[5], c_grain)
                end
            when 'begins' then
                case
                    when c_span is null then v_mark[4]
                    when c_span = interval '1 minute'
                        then format('%s - interval %L', v_mark[4], c_grain)
                    else format(
                        'date_bin(%2$L, %1$s - interval %2$L, timestamptz ''2000-01-01 00:00+00'')',
                        v_mark[4], c_grain
                    )
                end
            when 'made_by' then
                format(
                    'case when %1$s.cause = ''definition'' then -%1$s.definition '
                    'else %1$s.definition end', v_mark[4]
                )
            when 'keyed' then (c_span is not null)::text
            when 'near' then
                case
                    when c_span is null then 'true'
                    else format(
                        'feature.bar_key(%1$s.tenant_id, %1$s.symbol, %1$s.bucket) = %2$s',
                        v_mark[4], v_mark[5]
                    )
                end
            when 'step' then
                ((extract(epoch from coalesce(c_span, interval '1 day'))::bigint / 60) << 37)::text
            -- nearly always the last few bars hold the answer
            when 'last' then (coalesce(c_span, interval '1 day') * 4)::text
            when 'chunk' then feature.chunk_of(c_grain)::text
        end);
    end loop;
    return v_sql;
end
$$;
revoke all on function feature.with_names(text, text) from public;
comment on function feature.with_names(text, text) is
'p_sql with what the set p_set has in place of each mark: {set}, its name; {prefix}, what the '
'names of its functions in public begin with; {name x}, feature.name_of(set, x); {newest}, its '
'view in api; {chunk}, the length of its log''s chunks; {last}, that of its last few bars; '
'{keyed}, whether its log has the index of feature.index_log(); {begins t}, in whose minute the '
'last bar begins that can have ended by t; {step}, by what feature.bar_key() grows from a bar to '
'the next. Of a version l of a bar: {ends l}, when the bar ends; {closed l t}, whether it has '
'ended by t; {gone l}, whether it has gone; {near l k}, whether its key is k: true where there is '
'no index by it; {made_by l}, what made it, as feature.tell_definitions() has it. Step of '
'feature.with_fields().';
